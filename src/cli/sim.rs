//! `keepgreen sim`: the simulated AWS on a port, for any AWS client.

use super::args::SimArgs;
use super::exit::{Exit, Failure, Outcome};
use super::paint::print_error;
use super::wake::Signals;
use crate::env::Env;
use crate::sim::port::{Port, listen, serve};
use std::sync::Arc;

/// Serves it until it is told to stop.
pub async fn sim(args: &SimArgs) -> Outcome {
    let mut signals = Signals::new()?;
    let refused = |error: std::io::Error| {
        Failure::new(format!(
            "cannot listen on {}: {error}; choose another with --listen (port 0 takes a free one)",
            args.listen
        ))
    };
    let listener = listen(&args.listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let seed = args.seed.unwrap_or_else(|| Env::system().entropy.number());
    let port = Arc::new(Port::new(args.speed, seed));
    // The first line is what scripts wait for.
    print_error(&format!("listening on {address}\n"));
    print_error(&format!(
        "its control routes: http://{address}/_sim; this world again: --seed {seed}\n"
    ));
    let stop = async move {
        let signal = signals.stop().await;
        tracing::info!(signal, "ending");
    };
    serve(listener, port, stop).await?;
    Ok(Exit::Done)
}
