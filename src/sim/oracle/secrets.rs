//! What must never be seen: S25, judged on every request of the controller.

use super::case::Case;
use super::step;
use super::tally::Findings;

/// No secret is in what the controller sends to AWS.
pub(super) fn s25_secrets(case: &Case, findings: &mut Findings) {
    let memory = case.memory;
    let of_launches = memory.user_data.iter().filter(|_| !step::is_launch(case));
    let mut secrets = memory.secrets.iter().chain(of_launches).peekable();
    if secrets.peek().is_none() {
        return;
    }
    let leaked = leaked(secrets.map(String::as_str), case.arrival.params);
    findings.require(!leaked, || {
        format!("a secret is in the parameters of {}", case.operation().name())
    });
}

/// Whether one of the secrets is in `text`. The secret itself is never repeated.
pub(super) fn leaked<'a>(mut secrets: impl Iterator<Item = &'a str>, text: &str) -> bool {
    secrets.any(|secret| text.contains(secret))
}
