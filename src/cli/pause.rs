//! `keepgreen pause`: sets the flag, reads it back, and says exactly what it stops and what it does not.
//!
//! It needs as little as possible to work: no journal, no controller, no valid policy; with a file flag no AWS either.

use super::args::{Common, Format, PauseArgs};
use super::context::Context;
use super::exit::{Exit, Failure, Outcome};
use super::holder::holder;
use super::json::{PauseDoc, VERSION, text_of};
use super::looking::unknown;
use super::paint::{Style, clean, print, width};
use super::plan::say_pause;
use super::table::Table;
use crate::aws::Bookkeeping;
use crate::controller::{Ledger, Rounds};
use crate::model::{Pause, PauseReading, PauseScope, PauseSource, ServiceName};
use crate::pause::{self, Flag, flag_path, parameter_name};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::time::Duration;

/// Parameter Store answers reads a moment behind its writes; the flag is read back so often, so far apart.
const READ_BACKS: u32 = 5;
const BETWEEN_READ_BACKS: Duration = Duration::from_millis(300);

/// The document of `pause`.
#[derive(Debug, Serialize)]
struct SetDoc {
    version: u32,
    /// As it was read back.
    set: PauseDoc,
    /// The flag that was there before, in the same place.
    replaced: Option<PauseDoc>,
    covers: Vec<String>,
    not_covered: Vec<String>,
}

/// Runs it.
pub async fn pause(args: &PauseArgs, common: &Common) -> Outcome {
    let context = Context::open(common)?;
    let service = match &args.service {
        Some(name) => Some(known(&context, name).await?),
        None => None,
    };
    let now = context.env.clock.wall();
    let flag = flag(args, now)?;
    let rounds = context.rounds(Ledger::scratch(None), None);
    let target = Target {
        context: &context,
        rounds: &rounds,
        service: service.as_ref(),
    };
    let (set, replaced) = match &context.config.pause_parameter {
        Some(name) => target.set_parameter(name, &flag).await?,
        None => target.set_file(&flag).await?,
    };
    let doc = SetDoc {
        version: VERSION,
        set: PauseDoc::of(&set),
        replaced: replaced.as_ref().map(PauseDoc::of),
        covers: target.covers(&set).await,
        not_covered: target.not_covered(&set).await,
    };
    match common.format() {
        Format::Json => print(&text_of(&doc)?)?,
        Format::Text => print(&render(&doc, now, width()))?,
    }
    Ok(Exit::Done)
}

/// A service that some policy names, refused ones included: a pause of a bad file's service counts.
///
/// # Errors
/// A name that nobody knows, with those that are known. Where no policy can be read at all, any name is believed.
pub async fn known(context: &Context, name: &str) -> Result<ServiceName, Failure> {
    let service = ServiceName::new(name);
    flag_path(&context.config.state, Some(&service))?;
    let fleet = context.fleet().await?;
    let refused = fleet
        .findings
        .iter()
        .any(|finding| finding.service() == Some(&service));
    if fleet.policies.is_empty() && !refused {
        super::paint::print_error(&format!(
            "keepgreen: no policy could be read from {}, so nobody can tell whether there is a service {service}\n",
            context.config.policies.display()
        ));
    } else if !fleet.policies.contains_key(&service) && !refused {
        return Err(unknown(&fleet, name));
    }
    Ok(service)
}

fn flag(args: &PauseArgs, now: Timestamp) -> Result<Flag, Failure> {
    let length = SignedDuration::try_from(args.length.0)?;
    Ok(Flag {
        by: Some(person(|name| std::env::var(name).ok())),
        reason: Some(args.reason.trim().to_owned()),
        since: Some(now),
        until: Some(now.checked_add(length)?),
    })
}

/// `ann@bastion`; behind `sudo` it is ann who pauses, not root.
fn person(variable: impl Fn(&str) -> Option<String>) -> String {
    let set = |name: &&str| variable(name).filter(|value| !value.trim().is_empty());
    let user = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(set);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = kernel
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .or_else(|| set(&"HOSTNAME"));
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    match host {
        Some(host) => format!("{user}@{host}"),
        None => user,
    }
}

/// Where the flag is to be.
struct Target<'a> {
    context: &'a Context,
    rounds: &'a Rounds,
    service: Option<&'a ServiceName>,
}

impl Target<'_> {
    async fn set_file(&self, flag: &Flag) -> Result<(Pause, Option<Pause>), Failure> {
        let written = pause::set(&self.context.config.state, self.service, flag, &self.context.env).await?;
        let source = PauseSource::File(written.path.display().to_string());
        let set = self.read_back(&source, flag).await?;
        Ok((set, written.replaced))
    }

    async fn set_parameter(&self, name: &str, flag: &Flag) -> Result<(Pause, Option<Pause>), Failure> {
        let name = parameter_name(name, self.service);
        let source = PauseSource::Parameter(name.clone());
        let replaced = find(self.read().await, &source);
        let bookkeeping = Bookkeeping::new(self.rounds.scopes.sdk()).await?;
        bookkeeping.put_parameter(&name, &flag.to_json()).await.map_err(|error| {
            let file = flag_path(&self.context.config.state, self.service);
            let file = file.map(|file| file.display().to_string()).unwrap_or_default();
            Failure::new(format!(
                "the pause may not have been set: {error}\nNext: try again, or touch the file {file} where the controller \
                 runs, which pauses it at once."
            ))
        })?;
        let mut last = None;
        for _ in 0..READ_BACKS {
            match self.read_back(&source, flag).await {
                Ok(set) => return Ok((set, replaced)),
                Err(failure) => last = Some(failure),
            }
            self.context.env.clock.sleep(BETWEEN_READ_BACKS).await;
        }
        Err(last.unwrap_or_else(|| Failure::new("the pause could not be read back")))
    }

    async fn read(&self) -> PauseReading {
        // A flag for everything is read together with some service's; which one does not matter.
        let any = ServiceName::new("any");
        let service = self.service.unwrap_or(&any);
        pause::read(service, None, &self.rounds.pausing.sources, &self.context.env).await
    }

    async fn read_back(&self, source: &PauseSource, flag: &Flag) -> Result<Pause, Failure> {
        let reading = self.read().await;
        let unreadable = reading.unreadable.join("; ");
        let found = find(reading, source);
        match found {
            Some(set) if set.until == flag.until && set.since == flag.since => Ok(set),
            Some(set) => Err(Failure::new(format!(
                "the pause was set, and reads back as another one, by {}: somebody set it at the same time",
                set.by.as_deref().unwrap_or("nobody knows whom")
            ))),
            None if unreadable.is_empty() => Err(Failure::new(
                "the pause was set and cannot be found again: do not rely on it, and try again",
            )),
            None => Err(Failure::new(format!(
                "the pause was set and cannot be read back, which counts as paused: {unreadable}"
            ))),
        }
    }

    async fn covers(&self, set: &Pause) -> Vec<String> {
        let what = match &set.scope {
            PauseScope::Service(service) => format!("service {service}"),
            _ => "every service".to_owned(),
        };
        let whom = match &set.source {
            PauseSource::Parameter(name) => {
                format!(
                    "every controller that reads the SSM parameter {name} {}",
                    self.place().await
                )
            }
            _ => match holder(&self.context.config.state, &self.context.env).await {
                Some(holder) => format!("the controller here: {}", clean(&holder.to_string())),
                None => format!(
                    "a controller on the state folder {}, which nobody runs on now",
                    self.context.config.state.display()
                ),
            },
        };
        vec![what, whom]
    }

    async fn place(&self) -> String {
        let own = crate::aws::ScopeKey {
            role: None,
            region: None,
        };
        let Ok(clients) = self.rounds.scopes.of(&own).await else {
            return String::new();
        };
        let region = clients.reader.region();
        match clients.reader.caller_account(crate::aws::Priority::Start).await {
            Ok(account) => format!("in account {account}, {region}"),
            Err(_) => format!("in {region}"),
        }
    }

    async fn not_covered(&self, set: &Pause) -> Vec<String> {
        let mut gaps = vec![
            "a request that is on its way: it is finished and journaled; nothing follows it after 1 s"
                .to_owned(),
            "people, Auto Scaling and AWS itself: they go on".to_owned(),
        ];
        if let PauseScope::Service(_) = set.scope {
            gaps.push("the other services".to_owned());
        }
        if matches!(set.source, PauseSource::File(_)) {
            gaps.push(
                "controllers on other hosts or state folders; `pause.ssm` in the config reaches them too"
                    .to_owned(),
            );
        }
        gaps
    }
}

fn find(reading: PauseReading, source: &PauseSource) -> Option<Pause> {
    reading.set.into_iter().find(|pause| pause.source == *source)
}

fn render(doc: &SetDoc, now: Timestamp, width: Option<u16>) -> String {
    let mut table = Table::indented(2);
    if let Some(replaced) = &doc.replaced {
        let text = format!(
            "an earlier pause, which no longer holds: {}",
            say_pause(replaced, now)
        );
        table.row([Style::Bad.paint("replaced"), text]);
    }
    for covered in &doc.covers {
        table.row(["stops".to_owned(), covered.clone()]);
    }
    for gap in &doc.not_covered {
        table.row(["not".to_owned(), gap.clone()]);
    }
    let service = doc
        .set
        .service
        .as_ref()
        .map(|service| format!(" {service}"))
        .unwrap_or_default();
    table.row(["end it".to_owned(), format!("keepgreen resume{service}")]);
    let set = say_pause(&doc.set, now);
    format!("{} {set}\n{}", Style::Good.paint("paused"), table.render(width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paint::plain;

    #[test]
    fn behind_sudo_it_is_the_person_who_pauses() {
        let variables = |pairs: &'static [(&str, &str)]| {
            move |name: &str| {
                let pair = pairs.iter().find(|(key, _)| *key == name);
                pair.map(|(_, value)| (*value).to_owned())
            }
        };
        let user = |pairs| person(variables(pairs)).split('@').next().unwrap().to_owned();
        assert_eq!(user(&[("USER", "root"), ("SUDO_USER", "ann")]), "ann");
        assert_eq!(user(&[("USER", ""), ("LOGNAME", "bob")]), "bob");
        assert!(user(&[]).starts_with("uid "));
    }

    #[test]
    fn it_says_what_was_set_what_it_replaced_and_what_goes_on() {
        let now: Timestamp = "2026-11-11T04:00:00Z".parse().unwrap();
        let of = |by: &str, reason: &str| PauseDoc {
            scope: "service",
            service: Some("tis".into()),
            instance: None,
            source: "file",
            place: "/var/lib/keepgreen/pause.d/tis".to_owned(),
            by: Some(by.to_owned()),
            reason: Some(reason.to_owned()),
            since: None,
            until: "2026-11-11T08:00:00Z".parse().ok(),
        };
        let doc = SetDoc {
            version: VERSION,
            set: of("ann@bastion", "release"),
            replaced: Some(of("bob@bastion", "night work")),
            covers: vec!["service tis".to_owned()],
            not_covered: vec!["the other services".to_owned()],
        };
        insta::assert_snapshot!(plain(&render(&doc, now, None)), @r#"
        paused tis by ann@bastion until 2026-11-11T08:00:00Z (in 4h): release (file /var/lib/keepgreen/pause.d/tis)
          replaced  an earlier pause, which no longer holds: tis by bob@bastion until 2026-11-11T08:00:00Z (in 4h): night work (file /var/lib/keepgreen/pause.d/tis)
          stops     service tis
          not       the other services
          end it    keepgreen resume tis
        "#);
    }
}
