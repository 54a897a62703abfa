//! Logs: to stderr, as text or JSON, with the span of service and pass.
//!
//! `KEEPGREEN_LOG`, else `RUST_LOG`, says what is logged, in the usual directives; else `-v` does. One that cannot be read is
//! ignored and said so: no controller stays down over a typing error in a log filter. Whatever they say, the AWS SDK and the
//! HTTP stack below it never log more than warnings and notes: at debug level they print whole requests, signatures and
//! session tokens included.

use super::args::Format;
use super::paint::print_error;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

const VARIABLES: [&str; 2] = ["KEEPGREEN_LOG", "RUST_LOG"];

/// Crates whose debug output has secrets in it.
const TALKATIVE: [&str; 9] = [
    "aws_",
    "hyper",
    "h2",
    "rustls",
    "tower",
    "reqwest",
    "http",
    "tokio_util",
    "mio",
];

/// What is logged if nobody says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// A command that prints its result keeps quiet besides.
    Errors,
    /// `run --dry-run`: its plans are its result, and it also says what it cannot do.
    Warnings,
    /// `run`: what it does is its result.
    Everything,
}

/// Begins to log; called once, before anything can be logged.
pub fn begin(format: Format, verbose: u8, base: Base) {
    let asked = VARIABLES
        .iter()
        .find_map(|name| Some((name, std::env::var(name).ok().filter(|value| !value.is_empty())?)));
    let filter = match asked.map(|(name, text)| (name, EnvFilter::try_new(&text))) {
        Some((_, Ok(filter))) => filter,
        Some((name, Err(error))) => {
            print_error(&format!(
                "keepgreen: ${name} is no log filter and is ignored: {error}\n"
            ));
            EnvFilter::new(default_level(verbose, base).to_string())
        }
        None => EnvFilter::new(default_level(verbose, base).to_string()),
    };
    let layer = fmt::layer().with_writer(std::io::stderr);
    let layer = match format {
        Format::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(true)
            .boxed(),
        Format::Text => layer
            .with_ansi(anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never)
            .with_target(false)
            .boxed(),
    };
    let logged =
        tracing_subscriber::registry().with(layer.with_filter(filter).with_filter(filter_fn(is_harmless)));
    // Fails only if something logs already, which then goes on.
    let _ = logged.try_init();
}

fn default_level(verbose: u8, base: Base) -> LevelFilter {
    match (base, verbose) {
        (Base::Errors, 0) => LevelFilter::ERROR,
        (Base::Warnings, 0) => LevelFilter::WARN,
        (Base::Everything, 0) | (Base::Errors | Base::Warnings, 1) => LevelFilter::INFO,
        (Base::Everything, 1) | (Base::Errors | Base::Warnings, 2) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

fn is_harmless(metadata: &Metadata<'_>) -> bool {
    let talkative = TALKATIVE.iter().any(|name| metadata.target().starts_with(name));
    !talkative || *metadata.level() <= Level::WARN
}

/// Panics become log entries with their place, so that they are found where everything else is.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let why = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        tracing::error!(
            place,
            why,
            "a panic: a fault of keepgreen's own, please report it"
        );
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_v_logs_more_and_a_command_with_a_result_logs_less_than_run() {
        let bases = [Base::Errors, Base::Warnings, Base::Everything];
        for verbose in 0..4 {
            let levels = bases.map(|base| default_level(verbose, base));
            assert!(levels.is_sorted(), "{verbose}: {levels:?}");
        }
        for base in bases {
            let levels = [0, 1, 2, 3, 255].map(|verbose| default_level(verbose, base));
            assert!(levels.is_sorted(), "{base:?}: {levels:?}");
            assert_eq!(levels.last(), Some(&LevelFilter::TRACE));
        }
    }
}
