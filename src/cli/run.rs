//! `keepgreen run`: takes the state folder, opens the journal, and runs the loop until it is told to stop.
//!
//! Here the outside is wired to the loop, as one tree of futures on one thread; nothing is spawned. With `--dry-run` it is
//! the same loop without lock, journal entry, write client or word to anybody.

use super::args::{Common, Format, RunArgs};
use super::context::{Context, patiently};
use super::exit::{Exit, Failure, Outcome};
use super::json::{PolicyFindingDoc, ServiceDoc, VERSION, text_of};
use super::once::once;
use super::paint::{plain, print, width};
use super::plan::{PlanDoc, headline, render};
use super::side::{Side, tell_manager, watchdog};
use super::wake::{FileWatch, Signals};
use crate::controller::{self, Hands, Ledger, Passed, Pulse, Rounds};
use crate::env::Env;
use crate::model::{Lease, ServiceName};
use crate::notify::unusable_because;
use crate::policy::{Config, format_duration};
use crate::record::{Journal, LockError, Options, StateLock};
use sd_notify::NotifyState;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::mpsc;

/// Signals and reloads that wait for the loop's next turn; it reads them before anything else.
const MESSAGES: usize = 16;

/// Of the 30 s that a service manager waits, the loop takes up to 26; this is for what it had to tell.
pub const LAST_WORDS: Duration = Duration::from_secs(2);

/// A command that asks who holds the folder shares its lock for an instant; that must not keep a controller from starting.
const LOCK_REPEATED_AFTER: Duration = Duration::from_millis(200);

/// Runs it.
pub async fn run(args: &RunArgs, common: &Common) -> Outcome {
    let context = Context::open(common)?;
    context.require_store()?;
    let mut signals = Signals::new()?;
    // Held until the very end: dropped last, after everything that could still write.
    let _lock;
    let rounds = if args.dry_run {
        context.rounds_for_looking().await?
    } else {
        _lock = lock(&context.config.state, &context.env).await?;
        acting(&context).await?
    };
    announce(&context.config, args);
    // Nothing is in flight yet: whoever stops it now need not wait.
    let reloaded = tokio::select! {
        biased;
        signal = signals.stop() => {
            tracing::info!(signal, "stopped before it began");
            return Ok(Exit::Done);
        }
        reloaded = patiently(&context.env, || rounds.reload()) => reloaded,
    };
    reloaded?;
    if args.once {
        return once(&context, &rounds, &mut signals, common).await;
    }
    serve(&context, &rounds, signals, common).await
}

async fn lock(folder: &Path, env: &Env) -> Result<StateLock, LockError> {
    match StateLock::acquire(folder, env) {
        Err(LockError::Held { .. }) => {
            env.clock.sleep(LOCK_REPEATED_AFTER).await;
            StateLock::acquire(folder, env)
        }
        other => other,
    }
}

/// Rounds with hands, on the folder's own journal.
async fn acting(context: &Context) -> Result<Rounds, Failure> {
    let open = || Journal::open(&context.config.state, &context.env, Options::default());
    let journal = patiently(&context.env, open).await?;
    let hands = Hands {
        lease: Lease::Folder,
        stopping: Arc::new(AtomicBool::new(false)),
    };
    Ok(context.rounds(Ledger::Journal(journal), Some(hands)))
}

/// Says what this process will do, and what it will not although the config asks for it.
fn announce(config: &Config, args: &RunArgs) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = %config.file.as_deref().unwrap_or(Path::new("(built-in defaults)")).display(),
        policies = %config.policies.display(),
        state = %config.state.display(),
        interval = format_duration(config.interval),
        once = args.once,
        dry_run = args.dry_run,
        "keepgreen starts"
    );
    for what in not_served(config) {
        tracing::warn!("{what}");
    }
}

/// What the config asks for and nobody gets in this version, each as a sentence.
fn not_served(config: &Config) -> Vec<String> {
    let mut missing = Vec::new();
    for (name, channel) in &config.channels {
        missing.extend(unusable_because(channel).map(|why| format!("channel {name} takes no notice: {why}")));
    }
    if config
        .channels
        .values()
        .all(|channel| unusable_because(channel).is_some())
    {
        let all = "no notification channel is configured: nobody is told what keepgreen does or cannot do; define one \
                   under `notify` in the config file and name it in the policies";
        missing.push(all.to_owned());
    }
    if !config.events.is_empty() {
        let interval = format_duration(config.interval);
        missing.push(format!(
            "`events` is not in this version yet: no queue is read, each service is looked at every {interval}"
        ));
    }
    let default = Config::defaults(Path::new(".")).listen;
    if let Some(listen) = config.listen.filter(|listen| Some(*listen) != default) {
        missing.push(format!(
            "`listen: {listen}`: the status page is not in this version yet, nothing listens there; \
             use `keepgreen status`"
        ));
    }
    missing
}

/// The loop with everything around it.
async fn serve(context: &Context, rounds: &Rounds, mut signals: Signals, common: &Common) -> Outcome {
    let env = &context.env;
    let pulse = Pulse::default();
    let side = Side::new(rounds, pulse.clone());
    let (messages, inbox) = mpsc::channel(MESSAGES);
    let mut files = FileWatch::new(&context.config.policies, context.config.file.as_deref());
    let mut news = News::new(rounds, common.format());
    let seen = |passed: &Passed| {
        news.take(passed);
        if let Some(side) = &side {
            side.seen(passed);
        }
    };
    tell_manager(&NotifyState::Ready);
    tokio::select! {
        biased;
        () = controller::run(rounds, inbox, &pulse, seen) => {}
        () = signals.forward(&messages, env, || tell_manager(&NotifyState::Stopping)) => {}
        () = async {
            tokio::join!(files.forward(&messages, env), beside(side.as_ref()), watchdog(env, &pulse));
        } => {}
    }
    if let Some(side) = &side {
        side.last_words(LAST_WORDS).await;
    }
    tracing::info!("keepgreen ends");
    Ok(Exit::Done)
}

async fn beside(side: Option<&Side<'_>>) {
    match side {
        Some(side) => side.run().await,
        None => std::future::pending().await,
    }
}

/// Says what is new: one line in the log for each pass that came to something else than the one before. Without hands the
/// plan is the result, and goes to stdout.
struct News<'a> {
    rounds: &'a Rounds,
    format: Format,
    before: BTreeMap<ServiceName, Vec<String>>,
}

impl<'a> News<'a> {
    fn new(rounds: &'a Rounds, format: Format) -> Self {
        Self {
            rounds,
            format,
            before: BTreeMap::new(),
        }
    }

    fn take(&mut self, passed: &Passed) {
        let fleet = self.rounds.in_force.now();
        self.before
            .retain(|service, _| fleet.policies.contains_key(service));
        let Some(doc) = ServiceDoc::of(self.rounds, &fleet, passed) else {
            return;
        };
        let now = gist(&doc);
        if self.before.get(&doc.service) == Some(&now) {
            return;
        }
        self.before.insert(doc.service.clone(), now);
        let summary = plain(&headline(&doc));
        match &doc.trouble {
            Some(why) => tracing::error!(service = %doc.service, why, "{summary}"),
            None => tracing::info!(service = %doc.service, account = doc.account, "{summary}"),
        }
        if self.rounds.hands.is_none() {
            self.show(doc);
        }
    }

    fn show(&self, service: ServiceDoc) {
        let fleet = self.rounds.in_force.now();
        let doc = PlanDoc {
            version: VERSION,
            at: self.rounds.env.clock.wall(),
            policy_findings: fleet.findings.iter().map(PolicyFindingDoc::of).collect(),
            services: vec![service],
        };
        let written = match self.format {
            Format::Text => Ok(render(&doc, width())),
            Format::Json => text_of(&doc),
        };
        let written = written.map_err(|error| error.to_string());
        if let Err(error) = written.and_then(|text| print(&text).map_err(|error| error.to_string())) {
            tracing::error!(error, "the plan could not be written to stdout");
        }
    }
}

/// What makes a plan another plan: not the seconds that are left of a wait.
fn gist(doc: &ServiceDoc) -> Vec<String> {
    let mut gist = vec![format!("{:?} {}", doc.due, doc.trouble.is_some())];
    gist.extend(
        doc.steps
            .iter()
            .flat_map(|step| step.instances.keys())
            .map(|id| format!("start {id}")),
    );
    gist.extend(
        doc.holds
            .iter()
            .map(|hold| format!("{} {:?} {}", hold.slot, hold.instance, hold.reason)),
    );
    gist.extend(doc.findings.iter().map(|finding| finding.key.clone()));
    gist.extend(doc.pauses.iter().map(|pause| format!("{pause:?}")));
    gist.extend(doc.gaps.iter().map(|gap| gap.part.clone()));
    gist.extend(
        doc.instances()
            .map(|(_, instance)| format!("{} {} {}", instance.id, instance.state, instance.word)),
    );
    gist
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fixtures::{document, stopped};
    use crate::policy::parse_config;

    fn config(text: &str) -> Config {
        parse_config(Path::new("config.yaml"), text).unwrap()
    }

    #[test]
    fn what_the_config_asks_for_in_vain_is_said_and_nothing_else() {
        let hook = "notify: { hook: { webhook: { url: 'env:HOOK' } } }\n";
        assert_eq!(not_served(&config(hook)), Vec::<String>::new());
        let silent = not_served(&config("interval: 60s\n"));
        assert!(
            silent.len() == 1 && silent[0].contains("no notification channel"),
            "{silent:?}"
        );
        let more =
            format!("{hook}listen: 127.0.0.1:9999\nevents: [ 'https://sqs.eu-west-2.amazonaws.com/1/q' ]\n");
        let missing = not_served(&config(&more));
        assert_eq!(missing.len(), 2, "{missing:?}");
        assert!(
            missing
                .iter()
                .all(|what| what.contains("not in this version yet")),
            "{missing:?}"
        );
        assert_eq!(
            not_served(&config(&format!("{hook}listen: none\n"))),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_plan_is_news_when_something_else_is_to_be_done_and_not_when_seconds_pass() {
        let mut night = stopped();
        let plan = night.act_accepted();
        let due = gist(&document(&night, &plan));
        night.pass_time(10);
        let plan = night.plan();
        let waiting = gist(&document(&night, &plan));
        assert_ne!(due, waiting);
        night.pass_time(10);
        let plan = night.plan();
        assert_eq!(gist(&document(&night, &plan)), waiting);
    }
}
