"""Faults by action: what an AWS call can meet besides success.

A fault is armed once and fires on the calls that it matches, `count` times, before or after the effect. "After" is
the ambiguous one: the world has changed and the caller does not learn it.
"""

import itertools
from dataclasses import asdict, dataclass

from state import BadRequest, S

KINDS = ("error", "drop", "hang", "delay", "empty", "page_fail", "unknown_enum")
PHASES = ("before", "after")
_ids = itertools.count(1)


@dataclass
class Fault:
    """One armed fault; see control.HELP for the meaning of its fields."""

    id: int
    action: str
    kind: str
    service: str | None = None
    match: str | None = None
    account: str | None = None
    region: str | None = None
    page: int | None = None
    instance: str | None = None
    skip: int = 0
    count: int | None = 1  # None: until cleared
    delay_s: float = 0.0
    phase: str = "before"
    status: int = 500
    code: str = "InternalError"
    message: str = "An injected fault"
    hits: int = 0

    def matches(self, call):
        """Whether this call is one that the fault is about, its `skip` aside."""
        return (
            self.action in ("*", call.action)
            and self.service in (None, call.service)
            and self.account in (None, call.account)
            and self.region in (None, call.region)
            and self.page in (None, call.page)
            and (self.match is None or self.match in call.decoded)
            and (self.count is None or self.hits < self.count)
        )


def arm(body):
    """`/_h/fault` with a body: arms a fault and returns it."""
    body = dict(body)
    body.setdefault("kind", "delay" if body.get("delay_s") and "code" not in body else "error")
    body.setdefault("action", "*")
    if body["kind"] not in KINDS:
        raise BadRequest(f"unknown kind {body['kind']!r}; expected one of {', '.join(KINDS)}")
    if body.get("phase", "before") not in PHASES:
        raise BadRequest(f"unknown phase {body['phase']!r}; expected before or after")
    if body["kind"] == "page_fail":
        body.setdefault("page", 2)
    if body.get("count") == 0:
        body["count"] = None
    try:
        fault = Fault(id=next(_ids), **body)
    except TypeError as err:
        raise BadRequest(f"a fault does not understand this: {err}") from err
    S.faults.append(fault)
    return asdict(fault)


def take(call):
    """The first armed fault for this call, counted as having fired; None if there is none."""
    for fault in S.faults:
        if fault.matches(call):
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.hits += 1
            call.fault = fault.id
            return fault
    return None


def listing():
    return {"faults": [asdict(fault) for fault in S.faults]}


def clear():
    """Disarms every fault, and lets go of whoever hangs on one."""
    S.faults.clear()
    S.released.set()
    S.released = type(S.released)()
    return {"faults": []}
