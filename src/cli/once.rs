//! `keepgreen run --once`: one pass over every service, with everything that `run` does in it, and a summary.
//!
//! It ends when the passes end; repairs may then still be open. What they need next is the next run's business, which
//! finds them in the journal.

use super::args::{Common, Format};
use super::check::count;
use super::context::Context;
use super::exit::{Exit, Failure, Outcome};
use super::json::{PolicyFindingDoc, ServiceDoc, VERSION, text_of};
use super::looking::{choose, documents, is_unread, look_at};
use super::paint::{Style, clean, print, width};
use super::plan::{add_rows, header, headline, render_policy_findings};
use super::run::LAST_WORDS;
use super::side::Side;
use super::table::Table;
use super::wake::Signals;
use crate::act::Done;
use crate::controller::{Passed, Pulse, Rounds};
use crate::decide::FindingKind;
use crate::model::{InstanceId, Outcome as Ended, ServiceName, SlotName};
use crate::notify::Sweep;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Service managers kill 30 s after they asked; what is open by then is in the journal.
const LONGEST_GOODBYE: Duration = Duration::from_secs(25);

/// Channels that do not answer are not waited for longer: the next run tells what is left.
const LONGEST_TELLING: Duration = Duration::from_secs(20);

/// The document of `run --once`.
#[derive(Debug, Serialize)]
pub struct OnceDoc {
    pub version: u32,
    pub at: Timestamp,
    pub dry_run: bool,
    /// Repairs that are begun, planned or quarantined, and not healed.
    pub open_repairs: Vec<OpenRepairDoc>,
    /// Notices that channels took in the end; those that failed wait in the journal.
    pub notices_delivered: u32,
    pub notices_failed: u32,
    pub policy_findings: Vec<PolicyFindingDoc>,
    pub services: Vec<PassDoc>,
}

#[derive(Debug, Serialize)]
pub struct OpenRepairDoc {
    pub service: ServiceName,
    pub slot: SlotName,
    pub instance: InstanceId,
    /// `null`: it is planned, and has no id before it begins.
    pub repair: Option<String>,
    /// `ailing`, `unknown`, `starting` or `quarantined`
    pub state: &'static str,
}

/// One service after its pass.
#[derive(Debug, Serialize)]
pub struct PassDoc {
    #[serde(flatten)]
    pub service: ServiceDoc,
    /// Instances whose start AWS has accepted in this pass.
    pub started: Vec<InstanceId>,
    pub requests: Vec<RequestDoc>,
}

/// One mutation that was journaled, and how it ended.
#[derive(Debug, Serialize)]
pub struct RequestDoc {
    pub intent: String,
    pub operation: &'static str,
    pub instances: Vec<InstanceId>,
    /// `accepted`, `not-sent`, `failed`, `settled`, or `ambiguous`: sent, and no answer came.
    pub outcome: &'static str,
    pub request_id: Option<String>,
    pub why: Option<String>,
}

/// Makes the passes and prints what came of them.
pub async fn once(context: &Context, rounds: &Rounds, signals: &mut Signals, common: &Common) -> Outcome {
    let fleet = rounds.in_force.now();
    let chosen = choose(&fleet, &[])?;
    let (passed, patience) = passes(context, rounds, signals, &chosen).await?;
    // There is no telling how long ago the last one was; whoever repeats it does so about once an interval.
    rounds.check_breakers(rounds.config.interval).await?;
    let told = match Side::new(rounds, Pulse::default()) {
        Some(side) => side.last_words(patience).await,
        None => Sweep::default(),
    };
    let mut doc = OnceDoc::of(context, rounds, &passed);
    doc.notices_delivered = told.delivered;
    doc.notices_failed = told.failed;
    match common.format() {
        Format::Json => print(&text_of(&doc)?)?,
        Format::Text => print(&render(&doc, width()))?,
    }
    Ok(exit_of(&doc))
}

/// All passes, and how long telling of them may take. Asked to stop, it finishes what is in flight, and begins nothing new.
async fn passes(
    context: &Context,
    rounds: &Rounds,
    signals: &mut Signals,
    chosen: &BTreeSet<ServiceName>,
) -> Result<(Vec<Passed>, Duration), Failure> {
    let mut passes = std::pin::pin!(look_at(rounds, chosen));
    let signal = tokio::select! {
        biased;
        passed = &mut passes => return Ok((passed, LONGEST_TELLING)),
        signal = signals.stop() => signal,
    };
    tracing::info!(
        signal,
        "shutting down: what is in flight is finished, nothing new is begun"
    );
    if let Some(hands) = &rounds.hands {
        hands.stopping.store(true, Ordering::Relaxed);
    }
    tokio::select! {
        biased;
        passed = &mut passes => Ok((passed, LAST_WORDS)),
        () = context.env.clock.sleep(LONGEST_GOODBYE) => Err(Failure::new(
            "what was in flight did not end in time; the journal has it, and the next run settles it by looking",
        )),
    }
}

impl OnceDoc {
    fn of(context: &Context, rounds: &Rounds, passed: &[Passed]) -> Self {
        let fleet = rounds.in_force.now();
        let mut services = Vec::new();
        for service in documents(rounds, passed) {
            let done = passed
                .iter()
                .find(|one| one.service == service.service)
                .map_or(&[][..], |one| &one.done);
            services.push(PassDoc::of(service, done));
        }
        Self {
            version: VERSION,
            at: context.env.clock.wall(),
            dry_run: rounds.hands.is_none(),
            open_repairs: services
                .iter()
                .flat_map(|pass| open_repairs(&pass.service))
                .collect(),
            policy_findings: fleet.findings.iter().map(PolicyFindingDoc::of).collect(),
            notices_delivered: 0,
            notices_failed: 0,
            services,
        }
    }
}

impl PassDoc {
    fn of(service: ServiceDoc, done: &[Done]) -> Self {
        let requests: Vec<RequestDoc> = done.iter().map(RequestDoc::of).collect();
        let is_start = |request: &&RequestDoc| request.operation == "StartInstances";
        let accepted = requests
            .iter()
            .filter(is_start)
            .filter(|request| request.outcome == "accepted");
        Self {
            started: accepted.flat_map(|request| request.instances.clone()).collect(),
            service,
            requests,
        }
    }
}

impl RequestDoc {
    pub fn of(done: &Done) -> Self {
        let (outcome, request_id, why) = match &done.outcome {
            None => (
                "ambiguous",
                None,
                Some("no answer came; the next look tells".to_owned()),
            ),
            Some(Ended::Accepted { request_id, .. }) => ("accepted", request_id.clone(), None),
            Some(Ended::NotSent { why }) => ("not-sent", None, Some(clean(why))),
            Some(Ended::Failed { error }) => (
                "failed",
                error.request_id.clone(),
                Some(clean(&error.to_string())),
            ),
            Some(Ended::Settled { .. }) => ("settled", None, None),
        };
        Self {
            intent: done.intent.id.to_string(),
            operation: done.intent.step.operation(),
            instances: done.intent.step.instances().cloned().collect(),
            outcome,
            request_id,
            why,
        }
    }

    /// `request 7a62…`, or why not.
    pub fn say(&self) -> String {
        match (&self.why, &self.request_id) {
            (Some(why), _) => why.clone(),
            (None, Some(id)) => format!("AWS accepted it (request {id})"),
            (None, None) => "AWS accepted it".to_owned(),
        }
    }
}

fn open_repairs(service: &ServiceDoc) -> Vec<OpenRepairDoc> {
    let planned = |id: &InstanceId| service.steps.iter().any(|step| step.instances.contains_key(id));
    let replacing = |id: &InstanceId| {
        service
            .queue
            .iter()
            .any(|one| one.under_way && one.instance == *id)
    };
    let open = service.instances().filter(|(_, instance)| {
        let incident = instance.incident.as_ref();
        incident.is_some_and(|incident| incident.is_open())
            || planned(&instance.id)
            || replacing(&instance.id)
    });
    let shown = |id: &InstanceId| service.instances().any(|(_, instance)| instance.id == *id);
    // An instance that is gone from every answer is replaced all the same.
    let unseen = service
        .queue
        .iter()
        .filter(|one| one.under_way && !shown(&one.instance));
    let unseen = unseen.map(|one| OpenRepairDoc {
        service: service.service.clone(),
        slot: one.slot.clone(),
        instance: one.instance.clone(),
        repair: None,
        state: "missing",
    });
    open.map(|(slot, instance)| OpenRepairDoc {
        service: service.service.clone(),
        slot: slot.name.clone(),
        instance: instance.id.clone(),
        repair: instance.incident.as_ref().map(|incident| incident.repair.clone()),
        state: instance.word,
    })
    .chain(unseen)
    .collect()
}

fn slot_of(service: &ServiceDoc, instance: &InstanceId) -> String {
    let mut instances = service.instances();
    let found = instances.find(|(_, view)| view.id == *instance);
    found.map(|(slot, _)| slot.name.to_string()).unwrap_or_default()
}

/// Open repairs are no error: that is what the next run is for.
fn exit_of(doc: &OnceDoc) -> Exit {
    let refused = FindingKind::WrongAccount.as_str();
    let failed = |pass: &PassDoc| {
        is_unread(&pass.service)
            || pass
                .service
                .findings
                .iter()
                .any(|finding| finding.kind == refused)
    };
    if doc.services.iter().any(failed) || doc.policy_findings.iter().any(|finding| finding.is_error) {
        Exit::Problems
    } else {
        Exit::Done
    }
}

/// What an accepted request did, in a word.
fn done_word(operation: &str) -> &'static str {
    match operation {
        "StartInstances" => "started",
        "RunInstances" => "replacing",
        "RegisterTargets" => "registered",
        "DeregisterTargets" => "taken out",
        "StopInstances" => "stopped",
        "TerminateInstances" => "terminated",
        "ModifyInstanceAttribute" => "keeps its volume",
        "CreateTags" => "retired",
        _ => "done",
    }
}

fn render(doc: &OnceDoc, width: Option<u16>) -> String {
    let mut text = render_policy_findings(&doc.policy_findings, width);
    for pass in &doc.services {
        let mut table = Table::indented(2);
        for request in &pass.requests {
            let word = match request.outcome {
                "accepted" => Style::Good.paint(done_word(request.operation)),
                other => Style::Bad.paint(other),
            };
            for instance in &request.instances {
                let slot = slot_of(&pass.service, instance);
                table.row([word.clone(), slot, instance.to_string(), request.say()]);
            }
        }
        add_rows(&mut table, &pass.service, doc.at);
        let words = if pass.started.is_empty() {
            headline(&pass.service)
        } else {
            let started = Style::Good.paint(&format!("{} started", pass.started.len()));
            format!("{started}, {}", headline(&pass.service))
        };
        text.push_str(&format!(
            "{}\n{}",
            header(&pass.service, &words),
            table.render(width)
        ));
    }
    let started: usize = doc.services.iter().map(|pass| pass.started.len()).sum();
    text.push_str(&format!(
        "{}: {} sent, {}\n",
        count(doc.services.len(), "service"),
        count(started, "start"),
        count(doc.open_repairs.len(), "open repair"),
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fixtures::{assert_documented, document, stopped};
    use crate::cli::paint::plain;
    use crate::decide::fixtures::{GREEN, Night, tis};
    use crate::model::{AwsError, ErrorClass, Gap, Part};

    /// One pass whose request ended with `outcome`.
    fn pass(night: &mut Night, outcome: Option<Ended>) -> OnceDoc {
        let planned = night.plan();
        let step = planned.steps.first().map(|planned| planned.step.clone());
        let intents: Vec<_> = step.into_iter().map(|step| night.intent(step)).collect();
        let done: Vec<Done> = intents
            .into_iter()
            .map(|intent| Done {
                intent,
                outcome: outcome.clone(),
            })
            .collect();
        let plan = match &outcome {
            Some(outcome) => {
                night.act(outcome);
                night.plan()
            }
            None => planned,
        };
        let services = vec![PassDoc::of(document(night, &plan), &done)];
        OnceDoc {
            version: VERSION,
            at: night.now,
            dry_run: false,
            open_repairs: services
                .iter()
                .flat_map(|pass| open_repairs(&pass.service))
                .collect(),
            notices_delivered: 0,
            notices_failed: 0,
            policy_findings: Vec::new(),
            services,
        }
    }

    #[test]
    fn a_start_that_aws_accepted_is_an_open_repair_and_no_error() {
        let request_id = Some("7a62c49f".to_owned());
        let doc = pass(
            &mut stopped(),
            Some(Ended::Accepted {
                request_id,
                launched: None,
            }),
        );
        insta::assert_snapshot!(plain(&render(&doc, None)), @r#"
        tis  (eu-west-2, 111122223333)  1 started, 1 starting
          started  green  i-0000000000000000b  AWS accepted it (request 7a62c49f)
          hold     green  i-0000000000000000b  attempt 1 was accepted 0s ago; it has 10m to become healthy
        1 service: 1 start sent, 1 open repair
        "#);
        assert_eq!(doc.services[0].started, [InstanceId::from(GREEN)]);
        assert_eq!(doc.open_repairs.len(), 1);
        assert_documented(&doc);
        assert_eq!(exit_of(&doc), Exit::Done);
    }

    #[test]
    fn a_start_that_aws_refused_says_what_it_answered() {
        let error = AwsError {
            operation: "StartInstances".to_owned(),
            object: None,
            class: ErrorClass::Capacity,
            code: Some("InsufficientInstanceCapacity".to_owned()),
            message: "try later".to_owned(),
            request_id: Some("7a62c49f".to_owned()),
        };
        let doc = pass(&mut stopped(), Some(Ended::Failed { error }));
        insta::assert_snapshot!(plain(&render(&doc, None)), @r#"
        tis  (eu-west-2, 111122223333)  a start is due in 2m 4s
          failed  green  i-0000000000000000b  StartInstances: InsufficientInstanceCapacity: try later (request 7a62c49f)
          hold    green  i-0000000000000000b  tried 1 times and refused (StartInstances: InsufficientInstanceCapacity: try later (request 7a62c49f)); the next try is due in 2m 4s
        1 service: 0 starts sent, 1 open repair
        "#);
        assert!(doc.services[0].started.is_empty());
        assert_eq!((doc.open_repairs.len(), exit_of(&doc)), (1, Exit::Done));
    }

    #[test]
    fn a_service_that_was_refused_or_could_not_be_read_is_an_error() {
        let quiet = pass(&mut Night::of(tis("")), None);
        assert_eq!((quiet.open_repairs.len(), exit_of(&quiet)), (0, Exit::Done));

        let mut elsewhere = Night::of(tis(""));
        elsewhere.caller = Some("444455556666".into());
        assert_eq!(exit_of(&pass(&mut elsewhere, None)), Exit::Problems);

        for (part, exit) in [
            (Part::Instances, Exit::Problems),
            (Part::Identity, Exit::Problems),
            (Part::ImageMetadata, Exit::Done),
        ] {
            let mut blind = Night::of(tis(""));
            let why = "AccessDenied".to_owned();
            blind.gaps = vec![Gap { part, why }];
            assert_eq!(exit_of(&pass(&mut blind, None)), exit);
        }

        let mut refused = pass(&mut Night::of(tis("")), None);
        refused.policy_findings.push(PolicyFindingDoc {
            is_error: true,
            key: "policy-refused/app.yaml".to_owned(),
            service: None,
            text: "app.yaml is refused".to_owned(),
        });
        assert_eq!(exit_of(&refused), Exit::Problems);
    }
}
