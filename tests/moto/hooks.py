"""A receiver of webhooks that plays Slack, a plain webhook and a heartbeat: it records, and can misbehave."""

from datetime import UTC, datetime

from state import BadRequest, Hook, S

MODES = ("ok", "error", "redirect", "hang")


def configure(body):
    """POST `/_h/hook`: how the receiver NAME (default: every one) answers from now on."""
    mode = body.get("mode", "ok")
    if mode not in MODES:
        raise BadRequest(f"unknown mode {mode!r}; expected one of {', '.join(MODES)}")
    S.hooks[body.get("name", "*")] = Hook(mode, body.get("location", "/_h/hook/redirected"))
    return {"hooks": {name: vars(hook) for name, hook in S.hooks.items()}}


def listing():
    return {"hooks": list(S.hook_calls)}


def clear():
    S.hook_calls.clear()
    return listing()


def receive(name, method, headers, body):
    """Records a delivery and returns (status, headers, body, whether to hang first)."""
    S.hook_calls.append(
        {
            "name": name,
            "method": method,
            "headers": {key.lower(): value for key, value in headers.items()},
            "body": body.decode("utf-8", "replace"),
            "time": datetime.now(UTC).isoformat(),
            "calls_before": len(S.calls),
        }
    )
    hook = S.hooks.get(name) or S.hooks.get("*") or Hook()
    if hook.mode == "error":
        return 500, [], b"the receiver is broken", False
    if hook.mode == "redirect":
        return 302, [("Location", hook.location)], b"", False
    if hook.mode == "hang":
        return 0, [], b"", True
    return 200, [("Content-Type", "text/plain")], b"ok", False
