//! `keepgreen status`: slots, instances, targets and repairs under way, and whether anybody looks after them.

use super::args::{Common, Format};
use super::check::count;
use super::context::Context;
use super::exit::{Exit, Outcome};
use super::holder::holder;
use super::json::{IncidentDoc, InstanceDoc, PolicyFindingDoc, ServiceDoc, VERSION, text_of};
use super::looking::{choose, documents, is_unread, look_at};
use super::paint::{Style, clean, print, width};
use super::plan::{findings_about, header, headline, render_policy_findings, say_pause};
use super::table::Table;
use crate::controller::{Rounds, breaker_key};
use crate::decide::breaker::Breaker;
use crate::model::ChannelName;
use crate::policy::Channel;
use crate::record::Holder;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;

/// The document of `status`.
#[derive(Debug, Serialize)]
pub struct StatusDoc {
    pub version: u32,
    pub at: Timestamp,
    pub state_folder: String,
    /// Who runs on the state folder; `null`: nobody looks after the services from there.
    pub controller: Option<Holder>,
    /// Every channel of the config; empty: nobody is told anything.
    pub channels: Vec<ChannelDoc>,
    pub breakers: Vec<BreakerDoc>,
    pub policy_findings: Vec<PolicyFindingDoc>,
    pub services: Vec<ServiceDoc>,
}

#[derive(Debug, Serialize)]
pub struct ChannelDoc {
    pub channel: String,
    /// Why this version cannot use it.
    pub unusable: Option<String>,
    /// Notices on their way.
    pub waiting: u32,
    /// Failures in a row.
    pub failures: u32,
    pub last_error: Option<String>,
    pub last_delivery: Option<Timestamp>,
}

/// An account in which too much ails at once.
#[derive(Debug, Serialize)]
pub struct BreakerDoc {
    pub account: String,
    pub since: Timestamp,
    pub why: String,
}

/// Runs it.
pub async fn status(named: &[String], common: &Common) -> Outcome {
    let context = Context::open(common)?;
    let rounds = context.rounds_for_looking().await?;
    rounds.reload().await?;
    let fleet = rounds.in_force.now();
    let chosen = choose(&fleet, named)?;
    let passed = look_at(&rounds, &chosen).await;
    let services = documents(&rounds, &passed);
    let doc = StatusDoc {
        version: VERSION,
        at: context.env.clock.wall(),
        state_folder: context.config.state.display().to_string(),
        controller: holder(&context.config.state, &context.env).await,
        channels: channels(&context, &rounds).await,
        breakers: breakers(&rounds, &services).await,
        policy_findings: findings_about(&fleet, named, &chosen),
        services,
    };
    match common.format() {
        Format::Json => print(&text_of(&doc)?)?,
        Format::Text => print(&render(&doc, width()))?,
    }
    let whole = !doc.services.iter().any(is_unread);
    Ok(if whole { Exit::Done } else { Exit::Problems })
}

async fn channels(context: &Context, rounds: &Rounds) -> Vec<ChannelDoc> {
    let records = match rounds.ledger.journal() {
        // What the outbox would say is beside the point here; the services are not.
        Some(journal) => journal.channels().await.unwrap_or_default(),
        None => Vec::new(),
    };
    let of = |(name, channel): (&ChannelName, &Channel)| {
        let record = records.iter().find(|record| record.channel == *name);
        let unusable: Option<&str> = crate::notify::unusable_because(channel);
        ChannelDoc {
            channel: name.to_string(),
            unusable: unusable.map(str::to_owned),
            waiting: record.map_or(0, |record| record.waiting),
            failures: record.map_or(0, |record| record.failures),
            last_error: record.and_then(|record| record.last_error.as_deref()).map(clean),
            last_delivery: record.and_then(|record| record.last_delivery),
        }
    };
    context.config.channels.iter().map(of).collect()
}

async fn breakers(rounds: &Rounds, services: &[ServiceDoc]) -> Vec<BreakerDoc> {
    let Some(journal) = rounds.ledger.journal() else {
        return Vec::new();
    };
    let accounts: BTreeSet<&str> = services
        .iter()
        .filter_map(|service| service.account.as_deref())
        .collect();
    let mut open = Vec::new();
    for account in accounts {
        let written = journal
            .document_get(&breaker_key(&account.into()))
            .await
            .ok()
            .flatten();
        let breaker: Option<Breaker> = written.and_then(|value| serde_json::from_value(value).ok());
        open.extend(breaker.and_then(|breaker| breaker.open).map(|open| BreakerDoc {
            account: account.to_owned(),
            since: open.since,
            why: clean(&open.why),
        }));
    }
    open
}

/// The status for people: a table a service, then who looks after it and who hears of it.
fn render(doc: &StatusDoc, width: Option<u16>) -> String {
    let mut text = render_policy_findings(&doc.policy_findings, width);
    for service in &doc.services {
        text.push_str(&format!("{}\n", header(service, &headline(service))));
        text.push_str(&instances(service).render(width));
        text.push_str(&remarks(service, doc.at).render(width));
    }
    text.push('\n');
    text.push_str(&surroundings(doc).render(width));
    text
}

fn instances(service: &ServiceDoc) -> Table {
    let mut table = Table::indented(2);
    let heads = ["SLOT", "INSTANCE", "STATE", "HEALTH", "REPAIR", "TARGETS"];
    if !service.slots.is_empty() {
        table.row(heads.map(|head| Style::Faint.paint(head)));
    }
    for slot in &service.slots {
        let idle = if slot.desired == "stopped" { " (idle)" } else { "" };
        for instance in &slot.instances {
            table.row([
                format!("{}{idle}", slot.name),
                instance.id.to_string(),
                instance.state.clone(),
                health(instance),
                instance
                    .incident
                    .as_ref()
                    .map(repair)
                    .or_else(|| replacement(service, instance))
                    .unwrap_or_default(),
                targets(instance),
            ]);
        }
        let missing = slot.missing();
        if missing > 0 {
            let none = Style::Bad.paint(&format!("{missing} missing"));
            let rest = || String::new();
            table.row([
                format!("{}{idle}", slot.name),
                none,
                rest(),
                rest(),
                rest(),
                rest(),
            ]);
        }
    }
    table
}

/// Whether it is being replaced, or comes in another one's place.
fn replacement(service: &ServiceDoc, instance: &InstanceDoc) -> Option<String> {
    let of_old = |queued: &&super::json::QueuedDoc| queued.instance == instance.id;
    let phase = instance.holds.iter().find(|hold| hold.reason == "replacing");
    let under_way = service
        .queue
        .iter()
        .find(of_old)
        .filter(|queued| queued.under_way);
    match (under_way, phase) {
        (Some(queued), _) if queued.quarantined => Some("not replaced, quarantined".to_owned()),
        (Some(_), _) => Some("being replaced".to_owned()),
        (None, _) if instance.word == "launching" => Some("takes another's place".to_owned()),
        (None, _) if instance.word == "leftover" => Some("being ended".to_owned()),
        (None, Some(_)) => Some("of a replacement".to_owned()),
        (None, None) if service.queue.iter().any(|queued| of_old(&queued)) => {
            Some("to be replaced".to_owned())
        }
        (None, None) => None,
    }
}

/// Health in colour.
pub fn health(instance: &InstanceDoc) -> String {
    let style = match instance.word {
        "healthy" => Style::Good,
        "starting" | "unknown" | "launching" | "retiring" | "leftover" => Style::Warn,
        _ => Style::Bad,
    };
    style.paint(instance.word)
}

/// Where a repair stands, in a few words.
pub fn repair(incident: &IncidentDoc) -> String {
    let failed = incident
        .attempts
        .iter()
        .filter(|attempt| attempt.end == "failed")
        .count();
    let awaited = incident.attempts.iter().any(|attempt| attempt.end == "awaited");
    if let Some(since) = incident.quarantined {
        return format!("quarantined since {since:.0}");
    }
    match incident.healed {
        Some(at) => format!("healed {at:.0}"),
        None if awaited => format!("attempt {}", incident.attempts.len()),
        None if incident.retry.is_some() => "refused, tried again".to_owned(),
        None if failed > 0 => format!("{failed} failed"),
        None => format!("open since {:.0}", incident.opened),
    }
}

/// `tis-prod:8080 healthy, tis-upload:8443 unused (Target.InvalidState)`
pub fn targets(instance: &InstanceDoc) -> String {
    let say = |target: &super::json::TargetDoc| {
        let port = target.port.map(|port| format!(":{port}")).unwrap_or_default();
        let reason = target
            .reason
            .as_ref()
            .map(|reason| format!(" ({reason})"))
            .unwrap_or_default();
        format!("{}{port} {}{reason}", target.target_group, target.state)
    };
    instance.targets.iter().map(say).collect::<Vec<_>>().join(", ")
}

fn remarks(service: &ServiceDoc, now: Timestamp) -> Table {
    let mut table = Table::indented(2);
    for pause in &service.pauses {
        table.row([Style::Warn.paint("paused"), say_pause(pause, now)]);
    }
    for gap in &service.gaps {
        let text = format!("{} could not be read: {}", gap.part, gap.why);
        table.row([Style::Bad.paint("unseen"), text]);
    }
    if let Some(trouble) = &service.trouble {
        table.row([Style::Bad.paint("trouble"), trouble.clone()]);
    }
    if !service.findings.is_empty() {
        let mut kinds: Vec<&str> = service.findings.iter().map(|finding| finding.kind).collect();
        kinds.dedup();
        let findings = count(service.findings.len(), "finding");
        let text = format!(
            "{} (`keepgreen plan {}` has them in full)",
            kinds.join(", "),
            service.service
        );
        table.row([Style::Warn.paint(&findings), text]);
    }
    table
}

fn surroundings(doc: &StatusDoc) -> Table {
    let mut table = Table::default();
    let controller = match &doc.controller {
        Some(holder) => Style::Good.paint(&clean_holder(holder)),
        None => Style::Bad.paint(&format!(
            "none runs on the state folder {}: from here, nothing is being looked after",
            doc.state_folder
        )),
    };
    table.row(["controller".to_owned(), controller]);
    for breaker in &doc.breakers {
        let text = format!(
            "account {} since {:.0}: {}",
            breaker.account, breaker.since, breaker.why
        );
        table.row([Style::Bad.paint("breaker"), text]);
    }
    if doc.channels.iter().all(|channel| channel.unusable.is_some()) {
        let text = Style::Warn.paint("none is configured: nobody is told what keepgreen does or cannot do");
        table.row(["channels".to_owned(), text]);
    }
    for channel in &doc.channels {
        table.row(["channel".to_owned(), say_channel(channel)]);
    }
    table
}

fn clean_holder(holder: &Holder) -> String {
    clean(&holder.to_string())
}

fn say_channel(channel: &ChannelDoc) -> String {
    let name = &channel.channel;
    if let Some(why) = &channel.unusable {
        return format!("{name}: {}", Style::Bad.paint(why));
    }
    let last = match channel.last_delivery {
        Some(at) => format!("last delivery {at:.0}"),
        None => "nothing delivered yet".to_owned(),
    };
    let waiting = match channel.waiting {
        0 => String::new(),
        waiting => format!(
            ", {} waiting",
            count(usize::try_from(waiting).unwrap_or(usize::MAX), "notice")
        ),
    };
    match (&channel.last_error, channel.failures) {
        (Some(error), 1..) => format!(
            "{name}: {} ({} in a row: {error}), {last}{waiting}",
            Style::Bad.paint("fails"),
            channel.failures
        ),
        _ => format!("{name}: {last}{waiting}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fixtures::{assert_documented, document, quarantined, stopped};
    use crate::cli::paint::plain;
    use crate::decide::fixtures::Night;

    fn status_of(night: &mut Night) -> StatusDoc {
        let plan = night.plan();
        StatusDoc {
            version: VERSION,
            at: night.now,
            state_folder: "/var/lib/keepgreen".to_owned(),
            controller: None,
            channels: Vec::new(),
            breakers: Vec::new(),
            policy_findings: Vec::new(),
            services: vec![document(night, &plan)],
        }
    }

    #[test]
    fn it_warns_when_nobody_looks_after_anything_and_nobody_would_hear_of_it() {
        let mut night = stopped();
        night.act_accepted();
        night.pass_time(10);
        let doc = status_of(&mut night);
        insta::assert_snapshot!(plain(&render(&doc, None)), @r#"
        tis  (eu-west-2, 111122223333)  1 starting
          SLOT   INSTANCE             STATE    HEALTH    REPAIR     TARGETS
          blue   i-0000000000000000a  running  healthy              tis-prod:8080 healthy
          green  i-0000000000000000b  stopped  starting  attempt 1  tis-prod:8080 unused (Target.InvalidState)

        controller  none runs on the state folder /var/lib/keepgreen: from here, nothing is being looked after
        channels    none is configured: nobody is told what keepgreen does or cannot do
        "#);
    }

    #[test]
    fn it_shows_quarantine_channels_breakers_and_who_runs() {
        let mut doc = status_of(&mut quarantined());
        doc.controller = Some(Holder {
            pid: Some(4711),
            host: Some("ops-1".to_owned()),
            since: "2026-11-10T12:00:00Z".parse().ok(),
            command: Some("keepgreen run".to_owned()),
        });
        doc.breakers.push(BreakerDoc {
            account: "111122223333".to_owned(),
            since: doc.at,
            why: "4 of 9 managed instances ail".to_owned(),
        });
        let channel = |name: &str| ChannelDoc {
            channel: name.to_owned(),
            unusable: None,
            waiting: 0,
            failures: 0,
            last_error: None,
            last_delivery: None,
        };
        doc.channels = vec![
            channel("new"),
            ChannelDoc {
                waiting: 2,
                failures: 3,
                last_error: Some("status 500".to_owned()),
                last_delivery: "2026-11-10T12:00:00Z".parse().ok(),
                ..channel("tis-alerts")
            },
            ChannelDoc {
                unusable: Some("SNS is not in this version yet".to_owned()),
                ..channel("topic")
            },
        ];
        assert_documented(&doc);
        insta::assert_snapshot!(plain(&render(&doc, None)), @r#"
        tis  (eu-west-2, 111122223333)  1 quarantined, 1 finding
          SLOT   INSTANCE             STATE    HEALTH       REPAIR                                  TARGETS
          blue   i-0000000000000000a  running  healthy                                              tis-prod:8080 healthy
          green  i-0000000000000000b  stopped  quarantined  quarantined since 2026-11-11T07:02:00Z  tis-prod:8080 unused (Target.InvalidState)
          1 finding  quarantined (`keepgreen plan tis` has them in full)

        controller  process 4711 (`keepgreen run`) on ops-1, since 2026-11-10T12:00:00Z
        breaker     account 111122223333 since 2026-11-11T07:02:00Z: 4 of 9 managed instances ail
        channel     new: nothing delivered yet
        channel     tis-alerts: fails (3 in a row: status 500), last delivery 2026-11-10T12:00:00Z, 2 notices waiting
        channel     topic: SNS is not in this version yet
        "#);
    }

    #[test]
    fn a_slot_without_its_instances_says_so() {
        let mut night = Night::of(crate::decide::fixtures::tis(""));
        night.instances.pop();
        let doc = status_of(&mut night);
        insta::assert_snapshot!(plain(&instances(&doc.services[0]).render(None)), @r#"
        SLOT   INSTANCE             STATE    HEALTH   REPAIR  TARGETS
        blue   i-0000000000000000a  running  healthy          tis-prod:8080 healthy
        green  1 missing
        "#);
    }
}
