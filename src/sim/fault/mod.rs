//! Faults of calls: which calls they strike, and how.
//!
//! A fault is a rule: it strikes the calls it matches, after letting some pass, as often as it says. The first rule
//! that matches a call decides it. What goes wrong in the world itself (no capacity, a start that does not hold, stale
//! reads) is in `world::control`; here is what goes wrong between the world and its caller.
//!
//! [`Class`] enumerates everything that can go wrong, wherever it does, as data: for storms that draw from it, and for
//! matrices that must cover it.

mod class;
mod classes;

pub use class::{Class, Kind, Strike, Strikes};

use serde::Serialize;
use std::time::Duration;

use jiff::Timestamp;

use super::world::api::{ApiError, Operation};
use super::world::page_number;

/// Which calls a rule is about. Empty: all.
#[derive(Debug, Clone, Default, Serialize)]
pub struct When {
    action: Option<String>,
    subject: Option<String>,
    account: Option<String>,
    region: Option<String>,
    host: Option<String>,
    page: Option<u32>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    /// How many matching calls still pass.
    #[serde(rename = "after")]
    skip: u32,
    /// How often it still strikes.
    times: Option<u32>,
}

impl When {
    /// Calls of this action: `DescribeInstances`.
    pub fn action(name: &str) -> Self {
        Self {
            action: Some(name.to_owned()),
            ..Self::default()
        }
    }

    /// Requests to this webhook, or to this AWS endpoint.
    pub fn host(name: &str) -> Self {
        Self {
            host: Some(name.to_owned()),
            ..Self::default()
        }
    }

    /// All calls.
    pub fn any() -> Self {
        Self::default()
    }

    /// Only calls that name this id, ARN or name.
    pub fn about(mut self, subject: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self
    }

    pub fn account(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }

    pub fn region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Only this page of a listing, counted from 1.
    pub fn page(mut self, number: u32) -> Self {
        self.page = Some(number);
        self
    }

    /// Not before this moment.
    pub fn from(mut self, at: Timestamp) -> Self {
        self.from = Some(at);
        self
    }

    /// No longer from this moment on.
    pub fn until(mut self, at: Timestamp) -> Self {
        self.until = Some(at);
        self
    }

    /// Let so many matching calls pass first.
    pub fn after(mut self, calls: u32) -> Self {
        self.skip = calls;
        self
    }

    /// It lets calls pass first.
    pub(super) fn names_a_call(&self) -> bool {
        self.skip > 0
    }

    /// Strike so often, then no more.
    pub fn times(mut self, calls: u32) -> Self {
        self.times = Some(calls);
        self
    }

    /// Strike once.
    pub fn once(self) -> Self {
        self.times(1)
    }

    fn matches(&self, call: &CallFacts) -> bool {
        let is = |wanted: &Option<String>, have: &str| wanted.as_deref().is_none_or(|w| w == have);
        let page = |number: u32| {
            let page = call.operation.and_then(Operation::page);
            page.and_then(page_number) == Some(number)
        };
        is(&self.action, call.action)
            && is(&self.account, call.account)
            && is(&self.region, call.region)
            && is(&self.host, call.host)
            && self.page.is_none_or(page)
            && self.from.is_none_or(|from| call.at >= from)
            && self.until.is_none_or(|until| call.at < until)
            && self.subject.as_deref().is_none_or(|subject| {
                call.operation
                    .is_some_and(|operation| operation.subjects().contains(&subject))
            })
    }

    /// It strikes this call: counts it, and says so.
    fn strikes(&mut self, call: &CallFacts) -> bool {
        if self.times == Some(0) || !self.matches(call) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if let Some(times) = &mut self.times {
            *times -= 1;
        }
        true
    }
}

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Refused, and nothing done: throttled, not authorised, no capacity, …
    Refuse(ApiError),
    /// Done, and yet answered with this error.
    RefuseAfterEffect(ApiError),
    /// A page of something in between, instead of AWS: this status, and a body that no protocol knows.
    HtmlError(u16),
    /// Accepted; nothing done, nothing answered.
    Hang,
    /// Done, and never answered: the caller times out.
    AppliedNoAnswer,
    /// Done, and the connection breaks before the answer.
    AppliedReset,
    /// Done, and the connection breaks in the middle of the answer; its length says that more was to come.
    CutOff,
    /// Answered as if done; nothing done.
    NothingDone,
    /// Done for the first half of the ids or targets it names (rounded down) and not for the rest; an answer that lists what was
    /// done lists that half. A request that names no list is done whole.
    Partial,
    /// Nobody listens there.
    ConnectionRefused,
    /// The connection never comes about.
    ConnectHang,
    /// The name does not resolve.
    DnsFailure,
    /// The answer takes this much longer.
    Slow(Duration),
    /// This read shows the world of that long ago.
    Stale(Duration),
    /// A listing that finds nothing.
    EmptyAnswer,
    /// Wherever the answer says exactly this (`stopped`), it says something that nobody has heard of.
    UnknownMember(String),
    /// The answer breaks off in the middle, and its length says that this is all. The SDK reads cut XML without an
    /// error, as a shorter listing; cut JSON it refuses.
    Truncated,
}

impl Fault {
    /// Nothing comes back for long.
    pub fn hangs(&self) -> bool {
        matches!(
            self,
            Fault::Hang | Fault::AppliedNoAnswer | Fault::ConnectHang | Fault::Slow(_)
        )
    }

    pub fn throttled() -> Self {
        Fault::Refuse(ApiError::throttled())
    }

    pub fn not_authorized(action: &str) -> Self {
        Fault::Refuse(ApiError::not_authorized(action))
    }

    /// InsufficientInstanceCapacity, as 500, which the SDK would retry.
    pub fn no_capacity() -> Self {
        let text = "We currently do not have sufficient capacity in the Availability Zone you requested.";
        Fault::Refuse(ApiError::with_status(500, "InsufficientInstanceCapacity", text))
    }

    /// A service's own error, with status 400.
    pub fn error(code: &str, message: &str) -> Self {
        Fault::Refuse(ApiError::new(code.to_owned(), message))
    }

    /// The credentials' time is over.
    pub fn expired_credentials() -> Self {
        let message = "The security token included in the request is expired".to_owned();
        Fault::Refuse(ApiError {
            refusal: super::world::api::Refusal::ExpiredCredentials,
            message,
        })
    }
}

impl Fault {
    /// What the world has answered reaches its caller, if perhaps late.
    pub(super) fn lets_the_answer_be_read(&self) -> bool {
        !matches!(
            self,
            Fault::AppliedNoAnswer
                | Fault::AppliedReset
                | Fault::CutOff
                | Fault::Truncated
                | Fault::RefuseAfterEffect(_)
        )
    }
}

/// What a rule looks at.
pub(super) struct CallFacts<'a> {
    pub(super) action: &'a str,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) host: &'a str,
    pub(super) at: Timestamp,
    /// `None` for webhooks, and for requests that are not understood.
    pub(super) operation: Option<&'a Operation>,
}

/// Rules, each with what it does; the first that strikes decides.
#[derive(Debug)]
pub(super) struct Rules<T> {
    rules: Vec<Rule<T>>,
    made: u64,
}

#[derive(Debug)]
struct Rule<T> {
    id: u64,
    when: When,
    what: T,
}

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            made: 0,
        }
    }
}

impl<T> Rules<T> {
    /// Its number.
    pub(super) fn add(&mut self, when: When, what: T) -> u64 {
        self.made += 1;
        let id = self.made;
        self.rules.push(Rule { id, when, what });
        id
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// `false`: there is no such rule.
    pub(super) fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        self.rules.len() < before
    }

    /// Forget rules that will not strike again.
    pub(super) fn forget_spent(&mut self) {
        self.rules.retain(|rule| rule.when.times != Some(0));
    }

    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &When, &T)> {
        self.rules.iter().map(|rule| (rule.id, &rule.when, &rule.what))
    }

    /// What strikes this call; counts it.
    pub(super) fn strike(&mut self, call: &CallFacts) -> Option<&mut T> {
        self.rules
            .iter_mut()
            .find_map(|rule| rule.when.strikes(call).then_some(&mut rule.what))
    }

    /// Everything that strikes this call; counts each.
    pub(super) fn strike_all(&mut self, call: &CallFacts) -> impl Iterator<Item = &mut T> {
        let struck = self.rules.iter_mut();
        struck.filter_map(|rule| rule.when.strikes(call).then_some(&mut rule.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_strikes_after_the_calls_it_lets_pass_and_as_often_as_it_says() {
        let mut rules = Rules::default();
        rules.add(When::action("StartInstances").after(1).times(2), Fault::Hang);
        let call = |action| CallFacts {
            action,
            account: "1",
            region: "r",
            host: "h",
            at: Timestamp::UNIX_EPOCH,
            operation: None,
        };
        let struck = |rules: &mut Rules<Fault>, action| rules.strike(&call(action)).is_some();
        assert!(!struck(&mut rules, "DescribeInstances"));
        let seen: Vec<bool> = (0..4).map(|_| struck(&mut rules, "StartInstances")).collect();
        assert_eq!(seen, [false, true, true, false]);
    }
}
