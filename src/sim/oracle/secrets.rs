//! What must never be seen: S25, judged on every request of the controller.

use super::case::Case;
use super::tally::Findings;

/// No secret is in what the controller sends to AWS.
pub(super) fn s25_secrets(case: &Case, findings: &mut Findings) {
    if case.memory.secrets.is_empty() {
        return;
    }
    let leaked = leaked(
        case.memory.secrets.iter().map(String::as_str),
        case.arrival.params,
    );
    findings.require(!leaked, || {
        format!("a secret is in the parameters of {}", case.operation().name())
    });
}

/// Whether one of the secrets is in `text`. The secret itself is never repeated.
pub(super) fn leaked<'a>(mut secrets: impl Iterator<Item = &'a str>, text: &str) -> bool {
    secrets.any(|secret| text.contains(secret))
}
