//! `keepgreen run`: takes the state folder, opens the journal, and runs the loop until it is told to stop.

use super::args::{Common, RunArgs};
use super::context::Context;
use super::exit::{Failure, Outcome};
use super::once::once;
use crate::controller::{Hands, Ledger, Rounds};
use crate::model::Lease;
use crate::record::{Journal, Options, StateLock};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Runs it.
pub async fn run(args: &RunArgs, common: &Common) -> Outcome {
    let context = Context::open(common)?;
    context.require_store()?;
    let stopping = Arc::new(AtomicBool::new(false));
    // Held until the very end: dropped last, after everything that could still write.
    let _lock;
    let rounds = if args.dry_run {
        context.rounds_for_looking().await?
    } else {
        _lock = StateLock::acquire(&context.config.state, &context.env)?;
        acting(&context, &stopping).await?
    };
    rounds.reload().await?;
    if args.once {
        return once(&context, &rounds, common).await;
    }
    Err(Failure::new("not in this version yet"))
}

/// Rounds with hands, on the folder's own journal.
async fn acting(context: &Context, stopping: &Arc<AtomicBool>) -> Result<Rounds, Failure> {
    let journal = Journal::open(&context.config.state, &context.env, Options::default()).await?;
    let hands = Hands {
        lease: Lease::Folder,
        stopping: Arc::clone(stopping),
    };
    Ok(context.rounds(Ledger::Journal(journal), Some(hands)).await)
}
