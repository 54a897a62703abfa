//! The command line: one file a subcommand, and what they share.
//!
//! Results go to stdout, logs and errors to stderr. Text and JSON are written from the same documents ([`json`]), so neither
//! knows more than the other. Exit codes are in [`exit`].
//!
//! Signals, file watching and the service manager enter here and nowhere else: the controller gets them as messages.

mod args;
mod check;
mod context;
mod demo;
mod exit;
mod explain;
#[cfg(test)]
mod fixtures;
mod holder;
mod json;
mod json_replace;
mod log;
mod looking;
mod once;
mod paint;
mod pause;
mod plan;
mod resume;
mod run;
mod schema;
mod side;
mod sim;
mod status;
mod table;
mod wake;

use args::{Cli, Command, Common};
use clap::Parser as _;
use exit::{ERROR, Outcome};
use log::Base;
use paint::{Style, print_error};
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

/// How long blocking work that is still under way may hold up the end of the process: a file system that hangs would
/// otherwise do so for ever.
const LONGEST_CLEAN_UP: Duration = Duration::from_secs(1);

/// Runs one command line and says how it ended.
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are on this way too; a reader that has gone away has read enough.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(ERROR));
        }
    };
    let common = cli.common();
    let base = match &cli.command {
        Command::Run(args) if args.dry_run => Base::Warnings,
        Command::Run(_) => Base::Everything,
        _ => Base::Errors,
    };
    log::begin(common.log_format(), common.rest.verbose, base);
    log::log_panics();
    match dispatch(cli.command, &common) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            print_error(&format!("{} {failure}\n", Style::Bad.paint("error:")));
            ExitCode::from(ERROR)
        }
    }
}

fn dispatch(command: Command, common: &Common) -> Outcome {
    match command {
        Command::Check(args) => check::check(&args, common),
        Command::Schema(args) => schema::schema(&args),
        Command::Run(args) => block_on(run::run(&args, common)),
        Command::Plan(args) => block_on(plan::plan(&args.services, common)),
        Command::Status(args) => block_on(status::status(&args.services, common)),
        Command::Explain(args) => block_on(explain::explain(&args.service, common)),
        Command::Pause(args) => block_on(pause::pause(&args, common)),
        Command::Resume(args) => block_on(resume::resume(&args, common)),
        Command::Sim(args) => block_on(sim::sim(&args)),
        Command::Demo(args) => block_on(demo::demo(&args, common)),
    }
}

/// One thread is enough: all waiting is for the network, and SQLite has the blocking pool.
fn block_on(work: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(LONGEST_CLEAN_UP);
    outcome
}
