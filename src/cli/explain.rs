//! `keepgreen explain`: for each instance of one service the evidence, the verdict, and everything that holds it back.

use super::args::{Common, Format};
use super::check::count;
use super::context::Context;
use super::exit::{Exit, Outcome};
use super::json::{
    FindingDoc, HoldDoc, ImageDoc, IncidentDoc, InstanceDoc, PolicyFindingDoc, ServiceDoc, SlotDoc, VERSION,
    text_of,
};
use super::looking::{choose, documents, is_unread, look_at};
use super::paint::{Style, print, width};
use super::plan::{findings_about, header, headline, render_policy_findings, say_pause, short, unsaid_gaps};
use super::status::health;
use super::table::Table;
use crate::model::InstanceId;
use jiff::Timestamp;
use serde::Serialize;

/// The document of `explain`.
#[derive(Debug, Serialize)]
pub struct ExplainDoc {
    pub version: u32,
    pub at: Timestamp,
    pub policy_findings: Vec<PolicyFindingDoc>,
    pub service: ServiceDoc,
}

/// Runs it.
pub async fn explain(name: &str, common: &Common) -> Outcome {
    let context = Context::open(common)?;
    let rounds = context.rounds_for_looking().await?;
    rounds.reload().await?;
    let fleet = rounds.in_force.now();
    let named = [name.to_owned()];
    let chosen = choose(&fleet, &named)?;
    let passed = look_at(&rounds, &chosen).await;
    let Some(service) = documents(&rounds, &passed).into_iter().next() else {
        return Err(super::looking::unknown(&fleet, name));
    };
    let doc = ExplainDoc {
        version: VERSION,
        at: context.env.clock.wall(),
        policy_findings: findings_about(&fleet, &named, &chosen),
        service,
    };
    match common.format() {
        Format::Json => print(&text_of(&doc)?)?,
        Format::Text => print(&render(&doc, width()))?,
    }
    Ok(if is_unread(&doc.service) {
        Exit::Problems
    } else {
        Exit::Done
    })
}

fn render(doc: &ExplainDoc, width: Option<u16>) -> String {
    let service = &doc.service;
    let mut text = render_policy_findings(&doc.policy_findings, width);
    text.push_str(&format!("{}\n", header(service, &headline(service))));
    text.push_str(&about_service(service, doc.at).render(width));
    for slot in &service.slots {
        text.push_str(&format!(
            "\nslot {}  {} of {} {}{}\n",
            Style::Strong.paint(slot.name.as_str()),
            slot.instances.len().saturating_sub(beside(slot)),
            slot.count,
            slot.desired,
            match beside(slot) {
                0 => String::new(),
                more => format!(", and {more} beside for the time of a replacement"),
            }
        ));
        for instance in &slot.instances {
            text.push_str(&format!(
                "  {}  {}\n",
                Style::Strong.paint(instance.id.as_str()),
                health(instance)
            ));
            text.push_str(&about_instance(service, instance).render(width));
        }
        text.push_str(&about_slot(service, slot).render(width));
    }
    text
}

/// Instances that a replacement brings in or takes out: the slot has them beside the ones that it should have.
fn beside(slot: &SlotDoc) -> usize {
    let is_member = |instance: &&InstanceDoc| !matches!(instance.word, "launching" | "leftover" | "retiring");
    let members = slot.instances.iter().filter(is_member).count();
    let count = usize::try_from(slot.count).unwrap_or(usize::MAX);
    slot.instances.len().saturating_sub(members.max(count))
}

fn about_service(service: &ServiceDoc, now: Timestamp) -> Table {
    let mut table = Table::indented(2);
    table.row([
        "policy".to_owned(),
        format!("{} (version {})", service.policy_file, service.policy_version),
    ]);
    if let Some(looked_at) = service.looked_at {
        table.row(["looked".to_owned(), format!("{looked_at:.0}")]);
    }
    for pause in &service.pauses {
        table.row([Style::Warn.paint("paused"), say_pause(pause, now)]);
    }
    for gap in unsaid_gaps(service) {
        let text = format!("{} could not be read: {}", gap.part, gap.why);
        table.row([Style::Bad.paint("unseen"), text]);
    }
    if let Some(trouble) = &service.trouble {
        table.row([Style::Bad.paint("trouble"), trouble.clone()]);
    }
    let of_service = service
        .findings
        .iter()
        .filter(|finding| finding.slot.is_none() && finding.instance.is_none());
    add_findings(&mut table, of_service);
    table
}

fn about_slot(service: &ServiceDoc, slot: &SlotDoc) -> Table {
    let mut table = Table::indented(2);
    let of_slot = service
        .findings
        .iter()
        .filter(|finding| finding.slot.as_ref() == Some(&slot.name) && finding.instance.is_none());
    add_findings(&mut table, of_slot);
    // An instance that is gone from every answer has no part of its own.
    let is_shown = |id: &InstanceId| slot.instances.iter().any(|instance| instance.id == *id);
    let of_slot = |hold: &&HoldDoc| hold.slot == slot.name && !hold.instance.as_ref().is_some_and(is_shown);
    for hold in service.holds.iter().filter(of_slot) {
        let whose = hold
            .instance
            .as_ref()
            .map(|id| format!("{id}: "))
            .unwrap_or_default();
        table.row([Style::Warn.paint("hold"), format!("{whose}{}", hold.sentence)]);
    }
    let unseen = service
        .queue
        .iter()
        .filter(|queued| queued.slot == slot.name && !is_shown(&queued.instance));
    for queued in unseen {
        table.row([
            Style::Warn.paint("queue"),
            format!("{}: {}", queued.instance, queued.sentence()),
        ]);
    }
    table
}

fn add_findings<'a>(table: &mut Table, findings: impl Iterator<Item = &'a FindingDoc>) {
    for finding in findings {
        let since = finding
            .since
            .map(|since| format!(" (since {since:.0})"))
            .unwrap_or_default();
        let text = format!("{}{since}\nnext: {}", finding.text, finding.next);
        table.row([Style::Warn.paint("finding"), text]);
    }
}

fn about_instance(service: &ServiceDoc, instance: &InstanceDoc) -> Table {
    let mut table = Table::indented(4);
    let zone = instance
        .zone
        .as_ref()
        .map(|zone| format!(" in {zone}"))
        .unwrap_or_default();
    table.row(["state".to_owned(), format!("{}{zone}", instance.state)]);
    table.row(["checks".to_owned(), instance.checks.clone()]);
    for target in &instance.targets {
        let port = target.port.map(|port| format!(":{port}")).unwrap_or_default();
        let reason = target
            .reason
            .as_ref()
            .map(|reason| format!(" ({reason})"))
            .unwrap_or_default();
        let text = format!("{}{port}: {}{reason}", target.target_group, target.state);
        table.row(["target".to_owned(), text]);
    }
    table.row(["image".to_owned(), image(&instance.image)]);
    let verdict = match &instance.why {
        Some(why) => format!("{}: {why}", instance.health),
        None => instance.health.to_owned(),
    };
    table.row(["verdict".to_owned(), verdict]);
    for ailment in &instance.ailments {
        let text = format!("{}: {}", ailment.kind, ailment.evidence);
        table.row([Style::Bad.paint("ails"), text]);
    }
    if let Some(incident) = &instance.incident {
        add_incident(&mut table, incident);
    }
    let steps = service
        .steps
        .iter()
        .filter(|step| step.instances.contains_key(&instance.id));
    for step in steps {
        table.row([
            Style::Warn.paint("due"),
            format!("{} now: {}{}", step.step, step.object(), step.why),
        ]);
    }
    for hold in &instance.holds {
        table.row([Style::Warn.paint("hold"), hold.sentence.clone()]);
    }
    for queued in service
        .queue
        .iter()
        .filter(|queued| queued.instance == instance.id)
    {
        table.row([Style::Warn.paint("queue"), queued.sentence()]);
    }
    let findings = service
        .findings
        .iter()
        .filter(|finding| finding.instance.as_ref() == Some(&instance.id));
    add_findings(&mut table, findings);
    table
}

/// `ami-…: deregistered`
fn image(image: &ImageDoc) -> String {
    let why = image
        .why
        .as_ref()
        .map(|why| format!(": {why}"))
        .unwrap_or_default();
    let id = image.id.as_ref().map(|id| format!("{id}: ")).unwrap_or_default();
    format!("{id}{}{why}", image.state)
}

fn add_incident(table: &mut Table, incident: &IncidentDoc) {
    let healed = match incident.healed {
        Some(at) => format!(
            ", healed {at:.0}, healthy for {} (it is over after 30m)",
            short(incident.healthy_for_s)
        ),
        None => String::new(),
    };
    let text = format!(
        "{} since {:.0}: {}{healed} (repair {})",
        incident.kind, incident.opened, incident.evidence, incident.repair
    );
    table.row(["incident".to_owned(), text]);
    for attempt in &incident.attempts {
        let end = match (attempt.end, attempt.ended) {
            ("awaited", _) | (_, None) => "its effect is awaited".to_owned(),
            (end, Some(at)) => format!("{end} {at:.0}"),
        };
        let why = attempt
            .why
            .as_ref()
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        let text = format!(
            "{} accepted {:.0}, {end}{why} ({})",
            attempt.number, attempt.accepted, attempt.intent
        );
        table.row(["attempt".to_owned(), text]);
    }
    if let Some(retry) = &incident.retry {
        let person = if retry.needs_person {
            "; only a person can end that"
        } else {
            ""
        };
        let text = format!(
            "refused {} since {:.0}{person}: {}",
            count(usize::try_from(retry.tries).unwrap_or(usize::MAX), "time"),
            retry.since,
            retry.why
        );
        table.row([Style::Warn.paint("retry"), text]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fixtures::{assert_documented, document, quarantined};
    use crate::cli::paint::plain;
    use crate::model::{Gap, Outcome, Part};

    #[test]
    fn it_shows_evidence_verdict_attempts_and_every_hold() {
        let mut night = quarantined();
        night.gaps.push(Gap {
            part: Part::ImageMetadata,
            why: "DescribeInstanceImageMetadata: UnauthorizedOperation".to_owned(),
        });
        let plan = night.plan();
        let doc = ExplainDoc {
            version: VERSION,
            at: night.now,
            policy_findings: Vec::new(),
            service: document(&night, &plan),
        };
        assert_documented(&doc);
        insta::assert_snapshot!(plain(&render(&doc, None)), @r#"
        tis  (eu-west-2, 111122223333)  1 quarantined, 2 findings
          policy   tis.yaml (version 0123456789abcdef)
          looked   2026-11-11T07:02:00Z
          finding  the instances' images could not be read: DescribeInstanceImageMetadata: UnauthorizedOperation (since 2026-11-11T07:02:00Z)
                   next: nothing but safe starts is done meanwhile; if it stays, check the role's permissions and AWS's health

        slot blue  1 of 1 running
          i-0000000000000000a  healthy
            state    running in eu-west-2a
            checks   system ok, instance ok
            target   tis-prod:8080: healthy
            image    unknown: DescribeInstanceImageMetadata: UnauthorizedOperation
            verdict  healthy

        slot green  1 of 1 running
          i-0000000000000000b  quarantined
            state     stopped in eu-west-2a
            checks    system ok, instance ok
            target    tis-prod:8080: unused (Target.InvalidState)
            image     unknown: DescribeInstanceImageMetadata: UnauthorizedOperation
            verdict   ailing: stopped: Client.InternalError
            ails      stopped: Client.InternalError
            incident  stopped since 2026-11-11T05:01:00Z: Client.InternalError (repair tis-i-0000000000000000b-1794373260)
            attempt   1 accepted 2026-11-11T05:01:00Z, failed 2026-11-11T05:01:20Z: stopped again: Client.InternalError (intent-1)
            attempt   2 accepted 2026-11-11T06:01:20Z, failed 2026-11-11T06:01:40Z: stopped again: Client.InternalError (intent-2)
            attempt   3 accepted 2026-11-11T07:01:40Z, failed 2026-11-11T07:02:00Z: stopped again: Client.InternalError (intent-3)
            hold      quarantined since 2026-11-11T07:02:00Z after 3 attempts that did not heal; find out why, then `keepgreen resume SERVICE`
            finding   i-0000000000000000b (slot green) is quarantined: 3 attempts did not heal it (stopped again: Client.InternalError) (since 2026-11-11T07:02:00Z)
                      next: find out why and remove the cause, then `keepgreen resume` the service
        "#);
    }

    #[test]
    fn a_refusal_from_outside_shows_what_was_answered_and_that_it_is_tried_again() {
        let mut night = crate::cli::fixtures::stopped();
        night.act(&Outcome::Failed {
            error: crate::model::AwsError {
                operation: "StartInstances".to_owned(),
                object: None,
                class: crate::model::ErrorClass::Capacity,
                code: Some("InsufficientInstanceCapacity".to_owned()),
                message: "try later".to_owned(),
                request_id: None,
            },
        });
        night.pass_time(10);
        let plan = night.plan();
        let doc = document(&night, &plan);
        assert_documented(&doc);
        let (_, green) = doc.instances().last().unwrap();
        let text = plain(&about_instance(&doc, green).render(None));
        insta::assert_snapshot!(text, @r#"
        state     stopped in eu-west-2a
        checks    system ok, instance ok
        target    tis-prod:8080: unused (Target.InvalidState)
        image     ami-00000000000000001: launchable
        verdict   ailing: stopped: Server.ScheduledStop
        ails      stopped: Server.ScheduledStop
        incident  stopped since 2026-11-11T04:01:00Z: Server.ScheduledStop (repair tis-i-0000000000000000b-1794369660)
        retry     refused 1 time since 2026-11-11T04:01:00Z: StartInstances: InsufficientInstanceCapacity: try later
        hold      tried 1 times and refused (StartInstances: InsufficientInstanceCapacity: try later); the next try is due in 1m 54s
        "#);
    }
}
