//! `keepgreen resume`: takes the flags away that `keepgreen pause` sets, ends a service's quarantines, and says what still
//! pauses.
//!
//! The controller hears of a resume through a document in the journal: no message reaches a process that does not run, and
//! the journal reaches the next one too.

use super::args::{Common, Format, ResumeArgs};
use super::context::Context;
use super::exit::{Exit, Failure, Outcome};
use super::json::{PauseDoc, VERSION, text_of};
use super::looking::look_at;
use super::paint::{Style, clean, print, width};
use super::pause::known;
use super::plan::say_pause;
use super::table::Table;
use crate::aws::Bookkeeping;
use crate::controller::{Rounds, resume_key};
use crate::model::{InstanceId, ServiceName};
use crate::pause::{self, parameter_name};
use crate::record::Journal;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long AWS is asked for the tags that still pause: this is beside the point when AWS cannot be reached.
const PATIENCE_FOR_TAGS: Duration = Duration::from_secs(8);

/// The document of `resume`.
#[derive(Debug, Serialize)]
struct ResumeDoc {
    version: u32,
    /// `null`: everything.
    service: Option<ServiceName>,
    /// Places from which a flag was removed.
    removed: Vec<String>,
    /// Whether the controller was told to end the service's quarantines.
    told_controller: bool,
    /// Instances that were in quarantine.
    quarantine_ended: Vec<InstanceId>,
    /// Flags that hold all the same.
    still_paused: Vec<PauseDoc>,
    /// What could not be asked whether it still pauses.
    not_read: Vec<String>,
}

/// Runs it.
pub async fn resume(args: &ResumeArgs, common: &Common) -> Outcome {
    let context = Context::open(common)?;
    let service = match &args.service {
        Some(name) => Some(known(&context, name).await?),
        None => None,
    };
    let rounds = context.rounds_for_looking().await?;
    let removed = remove(&context, &rounds, service.as_ref()).await?;
    let (told_controller, quarantine_ended) = match &service {
        Some(service) => end_quarantine(&context, &rounds, service).await?,
        None => (false, Vec::new()),
    };
    let (still_paused, not_read) = left(&context, &rounds, service.as_ref()).await;
    let doc = ResumeDoc {
        version: VERSION,
        service,
        removed,
        told_controller,
        quarantine_ended,
        still_paused,
        not_read,
    };
    match common.format() {
        Format::Json => print(&text_of(&doc)?)?,
        Format::Text => print(&render(&doc, context.env.clock.wall(), width()))?,
    }
    Ok(Exit::Done)
}

/// Removes the file and the parameter; both are tried, whatever becomes of the other.
async fn remove(
    context: &Context,
    rounds: &Rounds,
    service: Option<&ServiceName>,
) -> Result<Vec<String>, Failure> {
    let mut removed = Vec::new();
    let mut failed = Vec::new();
    match pause::clear(&context.config.state, service, &context.env).await {
        Ok(path) => removed.extend(path.map(|path| format!("file {}", path.display()))),
        Err(error) => failed.push(error.to_string()),
    }
    if let Some(name) = &context.config.pause_parameter {
        let name = parameter_name(name, service);
        match remove_parameter(rounds, &name).await {
            Ok(true) => removed.push(format!("SSM parameter {name}")),
            Ok(false) => {}
            Err(why) => failed.push(format!("the SSM parameter {name} may still be set: {why}")),
        }
    }
    if failed.is_empty() {
        return Ok(removed);
    }
    let done = if removed.is_empty() {
        String::new()
    } else {
        format!(" (removed: {})", removed.join(", "))
    };
    Err(Failure::new(format!(
        "it may still be paused: {}{done}",
        failed.join("; ")
    )))
}

/// Says whether there was one to remove.
async fn remove_parameter(rounds: &Rounds, name: &str) -> Result<bool, String> {
    let Some(parameter) = &rounds.pausing.sources.parameter else {
        return Ok(false);
    };
    let found = parameter.source.values(vec![name.to_owned()]).await?;
    if found.is_empty() {
        return Ok(false);
    }
    let bookkeeping = Bookkeeping::new(rounds.scopes.sdk()).await;
    let bookkeeping = bookkeeping.map_err(|error| error.to_string())?;
    bookkeeping
        .delete_parameter(name)
        .await
        .map_err(|error| error.to_string())?;
    Ok(true)
}

/// Leaves word for the controller, if there is a journal to leave it in; a state folder that nobody uses stays unused.
async fn end_quarantine(
    context: &Context,
    rounds: &Rounds,
    service: &ServiceName,
) -> Result<(bool, Vec<InstanceId>), Failure> {
    let Some(known) = rounds.ledger.journal() else {
        return Ok((false, Vec::new()));
    };
    let incidents = known.load(service).await?.memory.incidents;
    let quarantined = incidents
        .into_iter()
        .filter(|(_, incident)| incident.quarantined.is_some());
    let quarantined = quarantined.map(|(instance, _)| instance).collect();
    let word = serde_json::json!(context.env.clock.wall().to_string());
    let put = async {
        let journal = Journal::open_beside(&context.config.state, &context.env).await?;
        journal.document_put(&resume_key(service), word).await
    };
    put.await.map_err(|error| {
        Failure::new(format!(
            "the pause flags of {service} are removed, and its quarantines have not ended: {error}"
        ))
    })?;
    Ok((true, quarantined))
}

/// What pauses all the same: flags of a wider scope or another source, and, where AWS answers in time, tags.
async fn left(
    context: &Context,
    rounds: &Rounds,
    service: Option<&ServiceName>,
) -> (Vec<PauseDoc>, Vec<String>) {
    let look = async {
        rounds.reload().await.map_err(|error| error.to_string())?;
        let fleet = rounds.in_force.now();
        let services: BTreeSet<ServiceName> = match service {
            Some(service) => BTreeSet::from([service.clone()]),
            None => fleet.policies.keys().cloned().collect(),
        };
        Ok::<_, String>(look_at(rounds, &services).await)
    };
    let looked = tokio::time::timeout(PATIENCE_FOR_TAGS, look).await;
    let mut still = Vec::new();
    let mut not_read = Vec::new();
    let mut seen_tags = false;
    if let Ok(Ok(passed)) = looked {
        seen_tags = passed.iter().all(|one| one.trouble.is_none());
        for plan in passed.iter().filter_map(|one| one.plan.as_ref()) {
            still.extend(plan.pauses.iter().map(PauseDoc::of));
            seen_tags &= plan.gaps.is_empty();
        }
    }
    if !seen_tags {
        not_read.push("the tags keepgreen:pause of the instances: AWS did not answer in full".to_owned());
        let any = ServiceName::new("any");
        let asked = service.unwrap_or(&any);
        let of_file = rounds.in_force.now().policies.get(asked).cloned();
        let reading = match of_file {
            Some(policy) => rounds.pausing.survey(&policy, &context.env).await,
            None => pause::read(asked, None, &rounds.pausing.sources, &context.env).await,
        };
        still.extend(reading.set.iter().map(PauseDoc::of));
        not_read.extend(reading.unreadable.iter().map(|why| clean(why)));
    }
    still.sort_by(|one, other| (&one.place, &one.service).cmp(&(&other.place, &other.service)));
    still.dedup();
    (still, not_read)
}

fn render(doc: &ResumeDoc, now: Timestamp, width: Option<u16>) -> String {
    let what = doc
        .service
        .as_ref()
        .map_or("everything".to_owned(), ToString::to_string);
    let mut table = Table::indented(2);
    for place in &doc.removed {
        table.row(["removed".to_owned(), place.clone()]);
    }
    if doc.removed.is_empty() {
        table.row([
            "removed".to_owned(),
            "nothing: no flag of `keepgreen pause` was set for it".to_owned(),
        ]);
    }
    for instance in &doc.quarantine_ended {
        table.row([
            "ended".to_owned(),
            format!("the quarantine of {instance}, at the next look"),
        ]);
    }
    for pause in &doc.still_paused {
        table.row([Style::Bad.paint("still paused"), say_pause(pause, now)]);
    }
    for why in &doc.not_read {
        table.row([Style::Warn.paint("not read"), why.clone()]);
    }
    let word = if doc.still_paused.is_empty() {
        Style::Good.paint("resumed")
    } else {
        Style::Warn.paint("resumed, and still paused by another hand:")
    };
    format!("{word} {what}\n{}", table.render(width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paint::plain;

    #[test]
    fn it_says_what_was_removed_and_what_still_pauses() {
        let now: Timestamp = "2026-11-11T04:00:00Z".parse().unwrap();
        let doc = ResumeDoc {
            version: VERSION,
            service: Some("tis".into()),
            removed: vec!["file /state/pause.d/tis".to_owned()],
            told_controller: true,
            quarantine_ended: vec!["i-0aa".into()],
            still_paused: vec![PauseDoc {
                scope: "everything",
                service: None,
                instance: None,
                source: "parameter",
                place: "/keepgreen/pause".to_owned(),
                by: Some("bob@bastion".to_owned()),
                reason: Some("network work".to_owned()),
                since: None,
                until: "2026-11-11T05:30:00Z".parse().ok(),
            }],
            not_read: Vec::new(),
        };
        insta::assert_snapshot!(plain(&render(&doc, now, None)), @r#"
        resumed, and still paused by another hand: tis
          removed       file /state/pause.d/tis
          ended         the quarantine of i-0aa, at the next look
          still paused  everything by bob@bastion until 2026-11-11T05:30:00Z (in 1h 30m): network work (SSM parameter /keepgreen/pause)
        "#);
        let nothing = ResumeDoc {
            service: None,
            removed: Vec::new(),
            quarantine_ended: Vec::new(),
            still_paused: Vec::new(),
            ..doc
        };
        insta::assert_snapshot!(plain(&render(&nothing, now, None)), @r#"
        resumed everything
          removed  nothing: no flag of `keepgreen pause` was set for it
        "#);
    }
}
