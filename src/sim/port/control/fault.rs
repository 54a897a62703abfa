//! Faults of calls: throttled, lost, broken off, stale.

use super::account::{account, operation};
use super::fields::{Fields, Refused};
use super::{Port, Route, field};
use crate::sim::fault::{Fault, When};
use crate::sim::world::api::{ApiError, Refusal};
use serde_json::{Value, json};

/// More rules at once are a script that forgets to clear them; each call looks at all.
const RULES_MAX: usize = 1_000;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/_sim/fault",
        fields: &[
            field(
                "kind",
                "throttle; not-authorized; no-capacity; expired-credentials; error (code, message, status); error-after-effect \
                 (the same, but done); html (status: a page of something in between); hang (nothing done, nothing answered); \
                 applied-no-answer; applied-reset (done, then the connection is reset); reset (with nothing done); cut-off \
                 (done, the connection breaks in the middle of the answer); truncated (done, half an answer that claims to be \
                 whole); nothing-done (answered as if done); partial (done for the first half of its ids or targets, which of one is none); slow (seconds); stale (seconds: a read of the world so long \
                 ago); empty (a listing that finds nothing); unknown-member (member: this word in the answer becomes one that \
                 nobody has heard of)",
            ),
            field(
                "action",
                "only calls of this operation, such as StartInstances (default: all)",
            ),
            field("subject", "only calls that name this id, name or ARN"),
            field("account", "only calls of this account, twelve digits"),
            field("region", "only calls to this region"),
            field("page", "only this page of a listing, from 1"),
            field("after", "let so many matching calls pass first (default 0)"),
            field(
                "times",
                "strike so often, then no more (default: until it is cleared)",
            ),
            field(
                "code",
                "for error and error-after-effect: the service's error code",
            ),
            field(
                "message",
                "for error and error-after-effect: its message (default: the code)",
            ),
            field(
                "status",
                "for error, error-after-effect and html: the HTTP status, 400 to 599 (default 400; html 503)",
            ),
            field(
                "seconds",
                "for slow and stale: how long, in this AWS's seconds, at most a year",
            ),
            field(
                "member",
                "for unknown-member: what the answer says instead, such as stopped",
            ),
        ],
        what: "Lets calls go wrong from now on; of several rules that match a call the oldest decides.",
        act: inject,
    },
    Route {
        method: "GET",
        path: "/_sim/fault",
        fields: &[],
        what: "The rules in force, with how often each may still strike.",
        act: list,
    },
    Route {
        method: "DELETE",
        path: "/_sim/fault",
        fields: &[field("id", "only the rule with this number (default: all)")],
        what: "Ends one rule, or all.",
        act: clear,
    },
];

fn inject(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let (when, fault) = (when(fields)?, fault(fields)?);
    fields.finish()?;
    port.act(|state| {
        state.faults.forget_spent();
        if state.faults.len() >= RULES_MAX {
            let why = format!("{RULES_MAX} rules are in force: clear some by DELETE /_sim/fault");
            return Err(Refused::new(409, why));
        }
        let id = state.faults.add(when, fault);
        Ok(json!({ "id": id }))
    })
}

fn list(port: &Port, _: &mut Fields) -> Result<Value, Refused> {
    port.act(|state| {
        let rules = state
            .faults
            .iter()
            .map(|(id, when, fault)| json!({ "id": id, "fault": describe(fault), "when": when }));
        Ok(Value::Array(rules.collect()))
    })
}

fn clear(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let id: Option<u64> = fields.number("id")?;
    port.act(|state| {
        let before = state.faults.len();
        match id {
            None => state.faults.clear(),
            Some(id) if !state.faults.remove(id) => {
                return Err(Refused::new(
                    404,
                    format!("there is no rule {id}: GET /_sim/fault lists them"),
                ));
            }
            Some(_) => {}
        }
        Ok(json!({ "cleared": before - state.faults.len() }))
    })
}

fn when(fields: &Fields) -> Result<When, Refused> {
    let mut when = match operation(fields)? {
        Some(action) => When::action(&action),
        None => When::any(),
    };
    if let Some(subject) = fields.text("subject")? {
        when = when.about(&subject);
    }
    if let Some(account) = account(fields)? {
        when = when.account(&account);
    }
    if let Some(region) = fields.text("region")? {
        when = when.region(&region);
    }
    if let Some(page) = fields.count("page")? {
        when = when.page(page);
    }
    if let Some(times) = fields.count("times")? {
        when = when.times(times);
    }
    Ok(when.after(fields.number("after")?.unwrap_or(0)))
}

/// The fault of a kind, its details read from the other fields.
type Make = fn(&Fields) -> Result<Fault, Refused>;

const KINDS: &[(&str, Make)] = &[
    ("throttle", |_| Ok(Fault::throttled())),
    ("not-authorized", |f| {
        let action = operation(f)?;
        Ok(Fault::not_authorized(action.as_deref().unwrap_or("this")))
    }),
    ("no-capacity", |_| Ok(Fault::no_capacity())),
    ("expired-credentials", |_| Ok(Fault::expired_credentials())),
    ("error", |f| Ok(Fault::Refuse(error(f)?))),
    ("error-after-effect", |f| Ok(Fault::RefuseAfterEffect(error(f)?))),
    ("html", |f| Ok(Fault::HtmlError(status(f)?.unwrap_or(503)))),
    ("hang", |_| Ok(Fault::Hang)),
    ("applied-no-answer", |_| Ok(Fault::AppliedNoAnswer)),
    ("applied-reset", |_| Ok(Fault::AppliedReset)),
    ("reset", |_| Ok(Fault::ConnectionRefused)),
    ("cut-off", |_| Ok(Fault::CutOff)),
    ("truncated", |_| Ok(Fault::Truncated)),
    ("nothing-done", |_| Ok(Fault::NothingDone)),
    ("partial", |_| Ok(Fault::Partial)),
    ("slow", |f| {
        Ok(Fault::Slow(f.required("seconds", f.seconds("seconds")?)?))
    }),
    ("stale", |f| {
        Ok(Fault::Stale(f.required("seconds", f.seconds("seconds")?)?))
    }),
    ("empty", |_| Ok(Fault::EmptyAnswer)),
    ("unknown-member", |f| {
        Ok(Fault::UnknownMember(f.required("member", f.text("member")?)?))
    }),
];

fn fault(fields: &Fields) -> Result<Fault, Refused> {
    let make = fields.required("kind", fields.one_of("kind", KINDS)?)?;
    make(fields)
}

fn error(fields: &Fields) -> Result<ApiError, Refused> {
    let code = fields.required("code", fields.text("code")?)?;
    let message = fields.text("message")?.unwrap_or_else(|| code.clone());
    Ok(ApiError::with_status(
        status(fields)?.unwrap_or(400),
        code,
        message,
    ))
}

fn status(fields: &Fields) -> Result<Option<u16>, Refused> {
    match fields.number("status")? {
        Some(status @ (..400 | 600..)) => Err(fields.refuse("status", status)),
        other => Ok(other),
    }
}

/// A fault in words: its kind, and what else was said of it. Total, so that no fault is left out on the port.
fn describe(fault: &Fault) -> String {
    let error = |error: &ApiError| match &error.refusal {
        Refusal::Service { status, code } => format!("{status} {code}"),
        other => format!("{other:?}"),
    };
    match fault {
        Fault::Refuse(with) => format!("refused: {}", error(with)),
        Fault::RefuseAfterEffect(with) => format!("done and refused: {}", error(with)),
        Fault::HtmlError(status) => format!("html {status}"),
        Fault::Hang | Fault::ConnectHang => "hang".to_owned(),
        Fault::AppliedNoAnswer => "applied-no-answer".to_owned(),
        Fault::AppliedReset => "applied-reset".to_owned(),
        Fault::CutOff => "cut-off".to_owned(),
        Fault::NothingDone => "nothing-done".to_owned(),
        Fault::Partial => "partial".to_owned(),
        // Without a connection there is no name to resolve, and nobody to refuse one; this is as near as a port comes.
        Fault::ConnectionRefused | Fault::DnsFailure => "reset".to_owned(),
        Fault::Slow(by) => format!("slow by {} s", by.as_secs_f64()),
        Fault::Stale(by) => format!("stale by {} s", by.as_secs_f64()),
        Fault::EmptyAnswer => "empty".to_owned(),
        Fault::UnknownMember(member) => format!("unknown-member in place of {member}"),
        Fault::Truncated => "truncated".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_named_where_a_person_looks_for_it() {
        let expects = ROUTES[0].fields[0].expects;
        for (kind, _) in KINDS {
            let named = expects
                .split("; ")
                .any(|part| part.split(' ').next() == Some(kind));
            assert!(named, "{kind} is not in: {expects}");
        }
    }
}
