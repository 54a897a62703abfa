//! What should be: policy files and the config file, from YAML to validated types.
//!
//! ```text
//! text ─ tree ─> Node ─ decode, parse, slots, replace ─> Policy ─┐
//!          (every key and value with its place)                  ├ load ─> Loaded ─ last_good ─> what is in force
//! text ─ tree ─> Node ─ decode, config ─> Config                 ┘
//! raw, raw_config ─ schema ─> JSON Schema, for editors
//! ```
//!
//! Guarantees:
//! - A [`Policy`] or [`Config`] that exists is valid: nobody checks it again.
//! - Whatever is wrong with any file is reported at once, each [`Problem`] with its place, and no input panics.
//! - A bad file stops no other service and gives none up ([`merge_last_good`]).
//! - No secret is read from a file, and none that was pasted into one is shown.
//!
//! Everything is pure but for [`load_folder`], [`read_folder`], [`load_config`] and [`SecretRef::resolve`], which read
//! files and block.

mod config;
mod decode;
mod defaults;
mod duration;
mod last_good;
mod load;
mod names;
mod overlap;
mod parse;
mod problem;
mod raw;
mod raw_config;
mod replace;
mod schema;
mod secret;
mod slots;
mod tree;
mod types;
mod window;

pub use config::{
    Breaker, CONFIG_VARIABLE, Channel, Config, ConfigLimits, Heartbeat, Store, config_path, load_config,
    parse_config,
};
pub use duration::{DurationError, MAX_DURATION, format_duration, parse_duration};
pub use last_good::{Effective, GoodText, PolicyFinding, merge_last_good};
pub use load::{
    Loaded, MAX_FILE_BYTES, MAX_FILES, MAX_FOLDER_BYTES, SourceFile, load_files, load_folder, load_texts,
    read_folder,
};
pub use parse::{Channels, Parsed, parse_policy, version_of};
pub use problem::{Colour, MAX_PROBLEMS_PER_FILE, Problem, render_json, render_text};
pub use schema::{config_schema, policy_schema, schema_text};
pub use secret::{Secret, SecretError, SecretRef};
pub use types::*;
pub use window::{Occurrence, Window, WindowError};
