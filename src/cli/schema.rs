//! `keepgreen schema`: the JSON Schema that editors complete policy and config files from.

use super::args::SchemaArgs;
use super::exit::{Exit, Outcome};
use super::paint::print;
use crate::policy::{config_schema, policy_schema, schema_text};

/// Runs it.
pub fn schema(args: &SchemaArgs) -> Outcome {
    let schema = if args.config {
        config_schema()
    } else {
        policy_schema()
    };
    print(&schema_text(&schema))?;
    Ok(Exit::Done)
}
