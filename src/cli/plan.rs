//! `keepgreen plan`: what would be done now, and why not more. Looks and changes nothing: it has no write client, takes no
//! lease, and writes no file.

use super::args::{Common, Format};
use super::check::count;
use super::context::Context;
use super::exit::{Exit, Outcome};
use super::json::{GapDoc, PauseDoc, PolicyFindingDoc, ServiceDoc, SlotDoc, VERSION, text_of};
use super::looking::{choose, documents, is_due, is_unread, look_at};
use super::paint::{Style, print, width};
use super::table::Table;
use crate::controller::Fleet;
use crate::decide::{Due, FindingKind};
use crate::model::ServiceName;
use crate::policy::PolicyFinding;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// The document of `plan`.
#[derive(Debug, Serialize)]
pub struct PlanDoc {
    pub version: u32,
    pub at: Timestamp,
    pub policy_findings: Vec<PolicyFindingDoc>,
    pub services: Vec<ServiceDoc>,
}

/// Runs it.
pub async fn plan(named: &[String], common: &Common) -> Outcome {
    let context = Context::open(common)?;
    let rounds = context.rounds_for_looking().await?;
    rounds.reload().await?;
    let fleet = rounds.in_force.now();
    let chosen = choose(&fleet, named)?;
    let passed = look_at(&rounds, &chosen).await;
    let doc = PlanDoc {
        version: VERSION,
        at: context.env.clock.wall(),
        policy_findings: findings_about(&fleet, named, &chosen),
        services: documents(&rounds, &passed),
    };
    match common.format() {
        Format::Json => print(&text_of(&doc)?)?,
        Format::Text => print(&render(&doc, width()))?,
    }
    Ok(exit_of(&doc))
}

/// What is to be said about policy files: everything, or what concerns the services that were asked for.
pub fn findings_about(
    fleet: &Fleet,
    named: &[String],
    chosen: &BTreeSet<ServiceName>,
) -> Vec<PolicyFindingDoc> {
    let concerns = |finding: &&PolicyFinding| {
        let about_all = matches!(finding, PolicyFinding::AllGone { .. });
        let about_chosen = finding.service().is_some_and(|service| chosen.contains(service));
        named.is_empty() || about_all || about_chosen
    };
    fleet
        .findings
        .iter()
        .filter(concerns)
        .map(PolicyFindingDoc::of)
        .collect()
}

/// An answer that is not whole is an error before it is anything else; but what is certainly due is due.
fn exit_of(doc: &PlanDoc) -> Exit {
    let due_now = |service: &ServiceDoc| service.due == Some(Due::Now);
    let no_plan = |service: &ServiceDoc| service.due.is_none() || service.trouble.is_some();
    let unread = |service: &ServiceDoc| no_plan(service) || (is_unread(service) && !due_now(service));
    if doc.services.iter().any(unread) || doc.policy_findings.iter().any(|finding| finding.is_error) {
        Exit::Problems
    } else if doc.services.iter().any(is_due) {
        Exit::Due
    } else {
        Exit::Done
    }
}

/// The plan for people: a header a service, and what there is to say about it below.
pub fn render(doc: &PlanDoc, width: Option<u16>) -> String {
    let mut text = render_policy_findings(&doc.policy_findings, width);
    for service in &doc.services {
        text.push_str(&render_service(service, doc.at, width));
    }
    text
}

pub fn render_policy_findings(findings: &[PolicyFindingDoc], width: Option<u16>) -> String {
    let mut table = Table::default();
    for finding in findings {
        table.row([Style::Bad.paint("policy"), finding.text.clone()]);
    }
    table.render(width)
}

/// One service.
pub fn render_service(service: &ServiceDoc, now: Timestamp, width: Option<u16>) -> String {
    let mut table = Table::indented(2);
    add_rows(&mut table, service, now);
    format!("{}\n{}", header(service, &headline(service)), table.render(width))
}

/// What is to be done about a service, what is not and why, and what a person should know.
pub fn add_rows(table: &mut Table, service: &ServiceDoc, now: Timestamp) {
    for pause in &service.pauses {
        table.row([
            Style::Warn.paint("paused"),
            String::new(),
            String::new(),
            say_pause(pause, now),
        ]);
    }
    for gap in unsaid_gaps(service) {
        let text = format!("{} could not be read: {}", gap.part, gap.why);
        table.row([Style::Bad.paint("unseen"), String::new(), String::new(), text]);
    }
    if let Some(trouble) = &service.trouble {
        table.row([
            Style::Bad.paint("trouble"),
            String::new(),
            String::new(),
            trouble.clone(),
        ]);
    }
    for step in &service.steps {
        for (instance, of) in &step.instances {
            let why = format!("{}{}", step.object(), step.why);
            let what = format!("attempt {}: {why}", of.attempt);
            let what = if of.attempt == 1 { why } else { what };
            table.row([
                Style::Warn.paint(step.step),
                of.slot.to_string(),
                instance.to_string(),
                what,
            ]);
        }
    }
    for hold in &service.holds {
        let instance = hold
            .instance
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        table.row([
            "hold".to_owned(),
            hold.slot.to_string(),
            instance,
            hold.sentence.clone(),
        ]);
    }
    for queued in &service.queue {
        table.row([
            "queue".to_owned(),
            queued.slot.to_string(),
            queued.instance.to_string(),
            queued.sentence(),
        ]);
    }
    for finding in &service.findings {
        let slot = finding.slot.as_ref().map(ToString::to_string).unwrap_or_default();
        let instance = finding
            .instance
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let text = format!("{}\nnext: {}", finding.text, finding.next);
        table.row([Style::Warn.paint("finding"), slot, instance, text]);
    }
}

/// What could not be read, unless a finding says it already.
pub fn unsaid_gaps(service: &ServiceDoc) -> impl Iterator<Item = &GapDoc> {
    let said = |gap: &&GapDoc| {
        !service
            .findings
            .iter()
            .any(|finding| finding.text.contains(&gap.why))
    };
    service.gaps.iter().filter(said)
}

/// `tis  (eu-west-2, 111122223333)  1 start due now, 2 findings`
pub fn header(service: &ServiceDoc, headline: &str) -> String {
    let place: Vec<&str> = [service.region.as_deref(), service.account.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    let place = if place.is_empty() {
        String::new()
    } else {
        format!("  {}", Style::Faint.paint(&format!("({})", place.join(", "))))
    };
    format!(
        "{}{place}  {headline}",
        Style::Strong.paint(service.service.as_str())
    )
}

/// What a service comes to, in a few words.
pub fn headline(service: &ServiceDoc) -> String {
    if service.due.is_none() {
        return Style::Bad.paint("could not be planned");
    }
    let starts: usize = service
        .steps
        .iter()
        .filter(|step| step.step == "start")
        .map(|step| step.instances.len())
        .sum();
    let others = service.steps.iter().filter(|step| step.step != "start").count();
    let due = match (starts, others) {
        (_, 0) => count(starts, "start"),
        (0, _) => count(others, "step"),
        _ => format!("{} and {}", count(starts, "start"), count(others, "step")),
    };
    let what = if service.queue.is_empty() {
        "a start"
    } else {
        "a mutation"
    };
    let all_healthy = service
        .instances()
        .all(|(_, instance)| instance.health == "healthy");
    let missing: usize = service.slots.iter().map(SlotDoc::missing).sum();
    let refused = FindingKind::WrongAccount.as_str();
    let mut words = match service.due {
        Some(Due::Now) => vec![Style::Warn.paint(&format!("{due} due now"))],
        Some(Due::ByTime) => vec![Style::Warn.paint(&format!("{what} is due {}", when_due(service)))],
        _ if is_unread(service) => vec![Style::Bad.paint("could not be read")],
        _ if service.findings.iter().any(|finding| finding.kind == refused) => {
            vec![Style::Bad.paint("refused: wrong account")]
        }
        _ if missing > 0 => vec![Style::Bad.paint(&format!("{missing} missing"))],
        _ if all_healthy && service.queue.is_empty() => vec![Style::Good.paint("nothing to do")],
        _ => Vec::new(),
    };
    let words_of_interest = [
        ("starting", Style::Warn),
        ("launching", Style::Warn),
        ("retiring", Style::Warn),
        ("leftover", Style::Warn),
        ("quarantined", Style::Bad),
    ];
    for (word, style) in words_of_interest {
        let of_word = service.instances().filter(|(_, instance)| instance.word == word);
        let number = of_word.count();
        if number > 0 {
            words.push(style.paint(&format!("{number} {word}")));
        }
    }
    if !service.pauses.is_empty() {
        words.push(Style::Warn.paint("paused"));
    }
    if words.is_empty() {
        words.push("nothing due".to_owned());
    }
    if !service.findings.is_empty() {
        words.push(count(service.findings.len(), "finding"));
    }
    words.join(", ")
}

fn when_due(service: &ServiceDoc) -> String {
    let holds = service.holds.iter().filter(|hold| hold.ends_by_time);
    match holds.filter_map(|hold| hold.left_s).min() {
        Some(left) => format!("in {}", short(left)),
        None => "by time alone".to_owned(),
    }
}

/// `tis by ann@bastion until 2026-11-11T08:00:00Z (in 3h 20m): release (file /var/lib/keepgreen/pause.d/tis)`
pub fn say_pause(pause: &PauseDoc, now: Timestamp) -> String {
    let what = match (&pause.service, &pause.instance) {
        (Some(service), _) => service.to_string(),
        (None, Some(instance)) => instance.to_string(),
        (None, None) => "everything".to_owned(),
    };
    let by = pause
        .by
        .as_ref()
        .map(|by| format!(" by {by}"))
        .unwrap_or_default();
    let since = pause
        .since
        .map(|since| format!(" since {since:.0}"))
        .unwrap_or_default();
    let until = match pause.until {
        Some(until) => format!("until {until:.0}{}", time_left(until, now)),
        None => "until it is cleared".to_owned(),
    };
    let reason = pause
        .reason
        .as_ref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    let place = match pause.source {
        "tag" => format!("tag keepgreen:pause on {}", pause.place),
        "parameter" => format!("SSM parameter {}", pause.place),
        "policy" => format!("`pause` in {}", pause.place),
        _ => format!("file {}", pause.place),
    };
    format!("{what}{by}{since} {until}{reason} ({place})")
}

fn time_left(until: Timestamp, now: Timestamp) -> String {
    match Duration::try_from(until.duration_since(now)) {
        Ok(left) => format!(" (in {})", short(left.as_secs())),
        Err(_) => String::new(),
    }
}

/// Seconds as people write them: `1h 5m`.
pub fn short(seconds: u64) -> String {
    crate::decide::short(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fixtures::{assert_documented, document, quarantined, stopped};
    use crate::cli::paint::plain;
    use crate::decide::fixtures::{GREEN, Night, tis};
    use crate::model::{Gap, ImageState, Part, Pause, PauseScope, PauseSource};

    fn plan_of(night: &mut Night) -> PlanDoc {
        let plan = night.plan();
        PlanDoc {
            version: VERSION,
            at: night.now,
            policy_findings: Vec::new(),
            services: vec![document(night, &plan)],
        }
    }

    fn shown(doc: &PlanDoc) -> String {
        plain(&render(doc, None))
    }

    #[test]
    fn a_service_without_trouble_is_one_line() {
        let doc = plan_of(&mut Night::of(tis("")));
        insta::assert_snapshot!(shown(&doc), @r#"tis  (eu-west-2, 111122223333)  nothing to do"#);
        assert_eq!(exit_of(&doc), Exit::Done);
    }

    #[test]
    fn the_incident_shows_the_start_and_the_risk() {
        let mut night = stopped();
        night.image = Some(ImageState::Deregistered);
        let doc = plan_of(&mut night);
        insta::assert_snapshot!(shown(&doc), @r#"
        tis  (eu-west-2, 111122223333)  1 start due now, 2 findings
          start    green  i-0000000000000000b  Server.ScheduledStop
          hold     blue   i-0000000000000000a  the policy has no `replace`, so nothing is ever launched: say there what to launch from
          hold     green  i-0000000000000000b  the policy has no `replace`, so nothing is ever launched: say there what to launch from
          finding  blue   i-0000000000000000a  i-0000000000000000a (slot blue, running) cannot be rebuilt: its image ami-00000000000000001 is deregistered
                                               next: make an image of it while it runs, and name it under `replace.image`
          finding  green  i-0000000000000000b  i-0000000000000000b (slot green, stopped) cannot be rebuilt: its image ami-00000000000000001 is deregistered
                                               next: make an image of it while it runs, and name it under `replace.image`
        "#);
        assert_eq!(exit_of(&doc), Exit::Due);
        assert_documented(&doc);
    }

    #[test]
    fn what_waits_for_time_alone_is_due_and_says_when() {
        let mut night = Night::of(tis(""));
        night.plan();
        night.pass_time(60);
        night.stop(GREEN, "Client.UserInitiatedShutdown");
        let doc = plan_of(&mut night);
        insta::assert_snapshot!(shown(&doc), @r#"
        tis  (eu-west-2, 111122223333)  a start is due in 1h
          hold  green  i-0000000000000000b  waiting 1h more of the grace for `stopped_by_operator` (a person stopped it, and nobody could be told yet that it will be started)
        "#);
        assert_eq!(exit_of(&doc), Exit::Due);
    }

    #[test]
    fn a_pause_says_who_why_and_until_when_and_is_not_due() {
        let mut night = stopped();
        night.pauses = vec![Pause {
            scope: PauseScope::Everything,
            source: PauseSource::File("/var/lib/keepgreen/pause".to_owned()),
            by: Some("ann@bastion".to_owned()),
            reason: Some("release\u{1b}[2J of the night".to_owned()),
            since: "2026-11-11T03:00:00Z".parse().ok(),
            until: "2026-11-11T07:00:00Z".parse().ok(),
        }];
        night
            .instance(GREEN)
            .tags
            .insert("keepgreen:pause".to_owned(), String::new());
        let doc = plan_of(&mut night);
        insta::assert_snapshot!(shown(&doc), @r#"
        tis  (eu-west-2, 111122223333)  paused
          paused                              everything by ann@bastion since 2026-11-11T03:00:00Z until 2026-11-11T07:00:00Z (in 2h 59m): release�[2J of the night (file /var/lib/keepgreen/pause)
          paused                              i-0000000000000000b until it is cleared (tag keepgreen:pause on i-0000000000000000b)
          hold    green  i-0000000000000000b  paused by ann@bastion until 2026-11-11T07:00:00Z (file /var/lib/keepgreen/pause): release�[2J of the night
          hold    green  i-0000000000000000b  paused until it is cleared (tag keepgreen:pause on i-0000000000000000b)
        "#);
        assert_eq!(exit_of(&doc), Exit::Done);
    }

    #[test]
    fn quarantine_is_no_mutation_that_is_due() {
        let doc = plan_of(&mut quarantined());
        insta::assert_snapshot!(shown(&doc), @r#"
        tis  (eu-west-2, 111122223333)  1 quarantined, 1 finding
          hold     green  i-0000000000000000b  quarantined since 2026-11-11T07:02:00Z after 3 attempts that did not heal; find out why, then `keepgreen resume SERVICE`
          finding  green  i-0000000000000000b  i-0000000000000000b (slot green) is quarantined: 3 attempts did not heal it (stopped again: Client.InternalError)
                                               next: find out why and remove the cause, then `keepgreen resume` the service
        "#);
        assert_eq!(exit_of(&doc), Exit::Done);
    }

    #[test]
    fn a_service_that_could_not_be_read_is_an_error_unless_something_is_certainly_due() {
        let gap = Gap {
            part: Part::Instances,
            why: "DescribeInstances: RequestLimitExceeded".to_owned(),
        };
        let mut night = Night::of(tis(""));
        night.gaps = vec![gap.clone()];
        let doc = plan_of(&mut night);
        insta::assert_snapshot!(shown(&doc), @r#"
        tis  (eu-west-2, 111122223333)  could not be read, 1 finding
          finding  the instances could not be read: DescribeInstances: RequestLimitExceeded
                   next: nothing but safe starts is done meanwhile; if it stays, check the role's permissions and AWS's health
        "#);
        assert_eq!(exit_of(&doc), Exit::Problems);

        let mut night = stopped();
        night.gaps = vec![gap];
        let due = plan_of(&mut night);
        assert_eq!(exit_of(&due), Exit::Due);

        let mut no_plan = due;
        no_plan.services.push(ServiceDoc {
            trouble: Some("no region".to_owned()),
            ..ServiceDoc::of_policy(&tis(""), None)
        });
        insta::assert_snapshot!(shown(&no_plan).lines().last().unwrap_or_default(), @r#"  trouble  no region"#);
        assert_eq!(exit_of(&no_plan), Exit::Problems);
    }

    #[test]
    fn a_refused_file_is_an_error_and_a_service_given_up_on_purpose_is_none() {
        let mut doc = plan_of(&mut Night::of(tis("")));
        for (is_error, exit) in [(false, Exit::Done), (true, Exit::Problems)] {
            doc.policy_findings = vec![PolicyFindingDoc {
                is_error,
                key: "k".to_owned(),
                service: None,
                text: "app.yaml: something about it".to_owned(),
            }];
            assert_eq!(exit_of(&doc), exit);
            assert_documented(&doc);
            assert!(shown(&doc).starts_with("policy  app.yaml: something about it\n"));
        }
    }
}
