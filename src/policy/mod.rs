//! What should be.
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
#[cfg(test)]
mod schema_tests;
