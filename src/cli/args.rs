//! The command line as types. What each option means is its help text; nothing is decided here.
//!
//! The common options are accepted before and after the subcommand. They are not clap's global options, because
//! `schema --config` is a switch where everywhere else `--config` takes a file.

use crate::pause::DEFAULT_LENGTH;
use crate::policy::{format_duration, parse_duration};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Keeps blue/green services on EC2 alive, unattended.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "keepgreen",
    version,
    arg_required_else_help = true,
    subcommand_required = true
)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every subcommand.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// The config file [default: $KEEPGREEN_CONFIG, else built-in defaults]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub rest: Rest,
}

/// The common options without `--config`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Common options")]
pub struct Rest {
    /// The folder of the policy files, in place of the config file's
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// How results are written to stdout [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Log more to stderr; twice for everything. $KEEPGREEN_LOG or $RUST_LOG set it in detail
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// How logs are written to stderr [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<Format>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
}

impl Common {
    /// What was said after the subcommand stands over what was said before it.
    pub fn over(self, outer: Self) -> Self {
        Self {
            config: self.config.or(outer.config),
            rest: self.rest.over(outer.rest),
        }
    }

    pub fn format(&self) -> Format {
        self.rest.format.unwrap_or_default()
    }

    pub fn log_format(&self) -> Format {
        self.rest.log_format.unwrap_or_default()
    }
}

impl Rest {
    fn over(self, outer: Self) -> Self {
        Self {
            policies: self.policies.or(outer.policies),
            format: self.format.or(outer.format),
            verbose: self.verbose.saturating_add(outer.verbose),
            log_format: self.log_format.or(outer.log_format),
        }
    }
}

#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Look after the services until stopped
    ///
    /// Repairs what ails, says so on the channels, reloads policies when their files change or on SIGHUP. One
    /// controller a state folder; every other command works beside it.
    Run(RunArgs),
    /// Show what would be done now, and why not more; changes nothing
    ///
    /// Exit code 3: a mutation is due now, or by the passing of time alone.
    Plan(ServicesArgs),
    /// Check the policy files and the config file, offline
    ///
    /// Shows every problem of every file at once. Exit code 1: there is one.
    Check(CheckArgs),
    /// Show slots, instances, targets, repairs under way and pauses
    Status(ServicesArgs),
    /// Show each instance of a service: evidence, verdict, and what holds it back
    Explain(ServiceArgs),
    /// Stop keepgreen's hands, for one service or for everything
    Pause(PauseArgs),
    /// Let keepgreen act again; for a SERVICE, end its quarantines as well
    Resume(ResumeArgs),
    /// Print the JSON Schema of policy files, for editors
    Schema(SchemaArgs),
    /// Play AWS on a port, for any AWS client
    ///
    /// EC2, load balancers, Auto Scaling groups, parameters and roles, with their states, limits and errors, in memory. Point
    /// a client at it with AWS_ENDPOINT_URL. GET /_sim lists the control routes, which move its time, stop its instances,
    /// lose its answers.
    Sim(SimArgs),
    /// Play the incident against a simulated AWS, in less than a minute; no AWS account is needed
    ///
    /// It is the controller itself that runs, on this machine alone: no network, no credentials, no config file. Exit code
    /// 1: it did not heal.
    Demo(DemoArgs),
}

#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// One pass over every service, then exit
    #[arg(long)]
    pub once: bool,
    /// Only look: no lock, no journal entry, no mutation; prints the plan each time it changes
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Clone, Debug)]
pub struct ServicesArgs {
    /// All services if none is named
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Clone, Debug)]
pub struct ServiceArgs {
    #[arg(value_name = "SERVICE")]
    pub service: String,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// The folder of the policy files, in place of the config file's
    #[arg(value_name = "DIR", conflicts_with = "policies")]
    pub dir: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Clone, Debug)]
pub struct PauseArgs {
    /// Everything if none is named
    #[arg(value_name = "SERVICE")]
    pub service: Option<String>,
    /// Ends by itself after this long: 30m, 4h, 2d
    #[arg(long = "for", value_name = "TIME", default_value_t = Length(DEFAULT_LENGTH))]
    pub length: Length,
    /// Why, for everybody who asks later
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub reason: String,
    #[command(flatten)]
    pub common: Common,
}

/// How long a pause lasts, 1 s or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length(pub Duration);

impl std::fmt::Display for Length {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&format_duration(self.0))
    }
}

impl std::str::FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let length = parse_duration(text).map_err(|error| error.to_string())?;
        if length.is_zero() {
            return Err("a pause of no length pauses nothing".to_owned());
        }
        Ok(Self(length))
    }
}

#[derive(Args, Clone, Debug)]
pub struct ResumeArgs {
    /// Everything if none is named; what pauses one service alone then stays
    #[arg(value_name = "SERVICE")]
    pub service: Option<String>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Clone, Debug)]
pub struct SchemaArgs {
    /// The schema of the config file instead
    #[arg(long)]
    pub config: bool,
    #[command(flatten)]
    pub rest: Rest,
}

#[derive(Args, Clone, Debug)]
pub struct SimArgs {
    /// Where to listen; with port 0 on a free port. `listening on ADDR` on stderr says when it is ready, and where
    #[arg(long, value_name = "ADDR")]
    pub listen: String,
    /// How many of its seconds pass in one; 0: its time stands still but for POST /_sim/advance
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(..=FASTEST))]
    pub speed: u32,
    /// Repeats the durations and ids of an earlier world [default: drawn, and shown]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// How many seconds pass there in one second here
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=FASTEST))]
    pub speed: u32,
    /// Afterwards, let it live on, and be reached on this address for whoever wants to break something and watch: control
    /// routes as of `keepgreen sim`, and AWS's API [default: a free port of this machine]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:0")]
    pub serve: Option<SocketAddr>,
    /// What if keepgreen may not do this? An action of AWS, such as StartInstances; may be repeated
    #[arg(long, value_name = "ACTION")]
    pub deny: Vec<String>,
    #[command(flatten)]
    pub common: Common,
}

/// A day a second: faster, a client could not see anything happen.
const FASTEST: i64 = 86_400;

impl Cli {
    /// The common options, wherever they stood.
    pub fn common(&self) -> Common {
        let inner = match &self.command {
            Command::Run(args) => args.common.clone(),
            Command::Plan(args) | Command::Status(args) => args.common.clone(),
            Command::Explain(args) => args.common.clone(),
            Command::Check(args) => args.common.clone(),
            Command::Pause(args) => args.common.clone(),
            Command::Demo(args) => args.common.clone(),
            Command::Resume(args) => args.common.clone(),
            Command::Sim(args) => args.common.clone(),
            Command::Schema(args) => Common {
                config: None,
                rest: args.rest.clone(),
            },
        };
        inner.over(self.common.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn common_options_stand_before_or_after_the_subcommand() {
        for line in [
            "keepgreen --config c.yaml --format json -v plan tis",
            "keepgreen plan tis --config c.yaml --format json -v",
            "keepgreen --config c.yaml plan --format json tis -v",
            "keepgreen --config other.yaml --format text plan --config c.yaml --format json tis -v",
        ] {
            let cli = parse(line).unwrap();
            let common = cli.common();
            assert_eq!(common.config, Some(PathBuf::from("c.yaml")), "{line}");
            assert_eq!(
                (common.format(), common.rest.verbose),
                (Format::Json, 1),
                "{line}"
            );
            assert!(
                matches!(cli.command, Command::Plan(args) if args.services == ["tis"]),
                "{line}"
            );
        }
    }

    #[test]
    fn config_is_a_switch_of_schema_alone() {
        let cli = parse("keepgreen schema --config").unwrap();
        assert!(matches!(
            cli.command,
            Command::Schema(SchemaArgs { config: true, .. })
        ));
        assert!(parse("keepgreen plan --config").is_err());
    }

    #[test]
    fn a_pause_has_a_reason_and_an_end() {
        let Command::Pause(args) = parse("keepgreen pause --reason release").unwrap().command else {
            panic!("not a pause");
        };
        assert_eq!(args.length, Length(DEFAULT_LENGTH));
        let Command::Pause(args) = parse("keepgreen pause tis --for 30m --reason x").unwrap().command else {
            panic!("not a pause");
        };
        assert_eq!(args.length, Length(Duration::from_secs(1800)));
        for line in [
            "keepgreen pause",
            "keepgreen pause tis",
            "keepgreen pause --for 0s --reason x",
            "keepgreen pause --for soon --reason x",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
        let no_words = Cli::try_parse_from(["keepgreen", "pause", "--reason", ""]);
        assert_eq!(no_words.unwrap_err().exit_code(), 2);
    }

    #[test]
    fn help_and_version_are_no_errors_and_everything_else_that_is_wrong_is_usage() {
        for (line, code) in [
            ("keepgreen --help", 0),
            ("keepgreen --version", 0),
            ("keepgreen plan --help", 0),
            ("keepgreen", 2),
            ("keepgreen mend", 2),
            ("keepgreen plan --fromat json", 2),
            ("keepgreen run --format yaml", 2),
            ("keepgreen explain", 2),
            ("keepgreen check a --policies b", 2),
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), code, "{line}");
        }
    }
}
