//! What happens to every request right before it leaves: the list that it must be on, the send gate of a mutation, and
//! the counting of the SDK's own retries; and to every answer to a read: whether it is whole.
//!
//! All of it is in the SDK's interceptors, inside the client, so that no caller can forget it. A refusal is
//! [`HeldBack`], which the error table knows to mean that nothing was sent.

use super::api::{Api, Kind};
use super::budget::{Budgets, Purse};
use super::error::HeldBack;
use crate::decide::guard::PAUSE_READ_HOLDS_FOR;
use crate::env::Clock;
use crate::model::Stamp;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, Metadata};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Lets only operations of the given kinds pass.
///
/// Judged twice, by the operation that the SDK believes to be sending and by the bytes that would be sent, so that
/// neither a new operation nor a request that was changed on its way slips through. `DryRun` is no way around: the
/// operation's name alone decides.
#[derive(Debug)]
pub struct OnlyThese {
    pub kinds: &'static [Kind],
}

impl OnlyThese {
    fn judge(&self, operation: Option<&str>, on_the_wire: Option<&str>) -> Result<(), HeldBack> {
        let refused = |what: &str| HeldBack {
            why: format!("{what} is not among the operations that this client may send"),
        };
        let operation = operation.ok_or_else(|| refused("an operation without a name"))?;
        let api = Api::from_name(operation).ok_or_else(|| refused(operation))?;
        if !self.kinds.contains(&api.kind()) {
            return Err(refused(operation));
        }
        match on_the_wire {
            Some(action) if action == api.name() => Ok(()),
            Some(action) => Err(refused(&format!("{action}, sent as {operation},"))),
            None => Err(refused(&format!("a request of {operation} that names no action"))),
        }
    }
}

#[dyn_dispatch_hint]
impl Intercept for OnlyThese {
    fn name(&self) -> &'static str {
        "OnlyThese"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = cfg.load::<Metadata>().map(|metadata| metadata.name().to_owned());
        let action = action_on_the_wire(context.request());
        Ok(self.judge(operation.as_deref(), action.as_deref())?)
    }
}

/// The operation that AWS will read from the bytes: the header of a JSON request, else the form field `Action`.
fn action_on_the_wire(request: &HttpRequest) -> Option<String> {
    if let Some(target) = request.headers().get("x-amz-target") {
        return target.rsplit('.').next().map(str::to_owned);
    }
    let body = request.body().bytes()?;
    let mut actions = form_urlencoded::parse(body).filter(|(key, _)| key == "Action");
    let action = actions.next()?.1.into_owned();
    // With two of them, which one AWS takes is anybody's guess.
    actions.next().is_none().then_some(action)
}

/// Whether a request went through its gate; shared with whoever judges the call's error.
#[derive(Clone, Debug, Default)]
pub struct Passed(Arc<AtomicBool>);

impl Passed {
    pub fn has_passed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The last check before a mutation leaves this machine, after credentials were resolved and the request was signed:
/// the pause flag was read within the last second (S13).
///
/// One gate serves one send.
#[derive(Debug)]
pub struct SendGate {
    pub clock: Clock,
    /// When the reading of the pause flag began.
    pub pause_read: Stamp,
    pub passed: Passed,
}

impl SendGate {
    fn judge(&self, now: &Stamp) -> Result<(), HeldBack> {
        let age = now.since(&self.pause_read);
        if age < PAUSE_READ_HOLDS_FOR {
            return Ok(());
        }
        Err(HeldBack {
            why: format!("the pause flag was read {age:?} ago, and may have been set since"),
        })
    }
}

#[dyn_dispatch_hint]
impl Intercept for SendGate {
    fn name(&self) -> &'static str {
        "SendGate"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.judge(&self.clock.now())?;
        self.passed.0.store(true, Ordering::SeqCst);
        Ok(())
    }
}

/// Refuses an XML answer that breaks off.
///
/// The SDK's parser takes the end of the text for the end of every open element, so that a listing that was cut on
/// its way reads as a shorter one: instances would be missing from an answer that looks complete.
#[derive(Debug)]
pub struct WholeAnswers;

#[dyn_dispatch_hint]
impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "WholeAnswers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let body = response.body().bytes().unwrap_or_default();
        if response.status().is_success() && is_cut_xml(body) {
            return Err("AWS's answer breaks off in the middle".into());
        }
        Ok(())
    }
}

/// Whether this begins as XML and does not end with the end of its outermost element.
fn is_cut_xml(body: &[u8]) -> bool {
    let text = body.trim_ascii();
    let declared = text.strip_prefix(b"<?").and_then(|text| {
        let end = text.windows(2).position(|two| two == b"?>")?;
        text.get(end + 2..)
    });
    let root = declared.map_or(text, <[u8]>::trim_ascii_start);
    let Some(root) = root.strip_prefix(b"<") else {
        return text.starts_with(b"<?");
    };
    let is_of_name = |byte: &&u8| !byte.is_ascii_whitespace() && !matches!(byte, b'>' | b'/');
    let name = root.iter().take_while(is_of_name).count();
    let name = root.get(..name).unwrap_or_default();
    let first_end = root.iter().position(|byte| *byte == b'>');
    let is_empty_element = first_end.is_some_and(|end| end + 1 == root.len() && root.ends_with(b"/>"));
    let is_ended = root
        .strip_suffix(b">")
        .and_then(|root| root.strip_suffix(name))
        .is_some_and(|root| root.ends_with(b"</"));
    !is_empty_element && !is_ended
}

/// Charges the budget for requests that the SDK repeats by itself; the first one was asked for.
#[derive(Debug)]
pub struct CountRetries {
    pub budgets: Budgets,
    pub purse: Purse,
}

#[dyn_dispatch_hint]
impl Intercept for CountRetries {
    fn name(&self) -> &'static str {
        "CountRetries"
    }

    fn read_before_attempt(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let attempt = cfg.load::<RequestAttempts>().map_or(1, RequestAttempts::attempts);
        let api = cfg
            .load::<Metadata>()
            .and_then(|metadata| Api::from_name(metadata.name()));
        if let (2.., Some(api)) = (attempt, api) {
            self.budgets.charge(&self.purse, api);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::body::SdkBody;
    use std::time::Duration;

    const READS: OnlyThese = OnlyThese { kinds: &[Kind::Read] };

    #[test]
    fn only_an_operation_on_the_list_that_is_also_on_the_wire_passes() {
        assert!(
            READS
                .judge(Some("DescribeInstances"), Some("DescribeInstances"))
                .is_ok()
        );
        let refused = [
            (Some("StartInstances"), Some("StartInstances")),
            (Some("DescribeInstances"), Some("StartInstances")),
            (Some("TerminateInstances"), Some("TerminateInstances")),
            (Some("DescribeInstances"), None),
            (None, Some("DescribeInstances")),
        ];
        for (operation, action) in refused {
            assert!(
                READS.judge(operation, action).is_err(),
                "{operation:?} {action:?}"
            );
        }
    }

    #[test]
    fn the_action_is_read_from_the_bytes() {
        let form = |body: &str| HttpRequest::new(SdkBody::from(body));
        assert_eq!(
            action_on_the_wire(&form("Version=1&Action=Start%49nstances")).as_deref(),
            Some("StartInstances")
        );
        assert_eq!(
            action_on_the_wire(&form("Action=DescribeInstances&Action=StartInstances")),
            None
        );
        assert_eq!(action_on_the_wire(&form("")), None);
        let mut json = form("{}");
        json.headers_mut()
            .insert("X-Amz-Target", "AmazonSSM.GetParameters");
        assert_eq!(action_on_the_wire(&json).as_deref(), Some("GetParameters"));
    }

    #[test]
    fn an_answer_is_whole_if_its_outermost_element_ends() {
        let whole = "<?xml version=\"1.0\"?>\n<R xmlns=\"http://ec2\"><a><b>1</b></a></R>\n";
        assert!(!is_cut_xml(whole.as_bytes()));
        let last = whole.trim_end().len();
        for end in 1..last {
            assert!(is_cut_xml(&whole.as_bytes()[..end]), "cut at {end}");
        }
        for other in ["<R/>", "<R a=\"b\"/>", "{\"Parameters\":[]}", ""] {
            assert!(!is_cut_xml(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn the_gate_shuts_one_second_after_the_pause_was_read() {
        let at = |boot_ms| Stamp {
            wall: "2026-11-11T04:00:00Z".parse().unwrap(),
            boot: Duration::from_millis(boot_ms),
        };
        let gate = SendGate {
            clock: Clock::System,
            pause_read: at(10_000),
            passed: Passed::default(),
        };
        for (now, open) in [(10_000, true), (10_999, true), (11_000, false), (60_000, false)] {
            assert_eq!(gate.judge(&at(now)).is_ok(), open, "{now}");
        }
    }
}
