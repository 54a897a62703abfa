"""Whether two transcripts of one case agree, and where not.

Ids, addresses, times, tokens and the ids of zones, which differ by account, are made up anew by every cloud: they are replaced by the order in which they first appear,
so that `the volume of the second instance` is the same word on both sides. Lists are compared as sets, since AWS promises
no order. A list or a text that is empty is as good as none.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime

ID = re.compile(r"\b(?P<kind>[a-z]+(?:-[a-z]+)?)-(?:[0-9a-f]{17}|[0-9a-f]{8})\b")
HEX = re.compile(r"\b[0-9a-f]{16}\b")
IP = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?!/)")
DNS = re.compile(r"\b(?:ip|ec2)-\d+(?:-\d+){3}\.[a-z0-9.-]+")
MAC = re.compile(r"\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| GMT|\+00:00)?")
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
ZONE_ID = re.compile(r"\b[a-z]{3,4}\d-az\d\b")
PRINCIPAL = re.compile(r"\b(?P<kind>AKIA|ASIA|AROA|AIDA)[A-Z0-9]{8,}\b")
# Members that are made up anew each time and mean nothing.
TOKENS = {"NextToken", "NextMarker", "SecretAccessKey", "SessionToken", "KeyMaterial", "KeyFingerprint"}


@dataclass(frozen=True)
class Difference:
    """One point in which the sides differ: `what` is `sim only`, `moto only` or `value`."""

    operation: str
    path: str
    what: str
    sim: str
    moto: str

    def __str__(self):
        return f"{self.operation} {self.path}: {self.what}: sim {self.sim}, moto {self.moto}"


class Names:
    """The words for what one side made up."""

    def __init__(self):
        self.known, self.counts = {}, {}

    def word(self, kind, text, learn):
        key = (kind, text)
        if key not in self.known:
            if not learn:
                return f"<{kind}>"
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self.known[key] = f"<{kind} {self.counts[kind]}>"
        return self.known[key]

    def text(self, text, learn):
        text = TIME.sub("<time>", text)
        text = UUID.sub("<uuid>", text)
        text = ZONE_ID.sub("<zone id>", text)
        text = MAC.sub("<mac>", text)
        text = DNS.sub("<dns>", text)
        text = IP.sub("<ip>", text)
        text = PRINCIPAL.sub(lambda match: self.word(match["kind"], match[0], learn), text)
        text = ID.sub(lambda match: self.word(match["kind"], match[0], learn), text)
        return HEX.sub(lambda match: self.word("hex", match[0], learn), text)

    def plain(self, value, learn):
        """The value with words for ids; lists in an order that both sides share."""
        if isinstance(value, dict):
            items = {k: "<token>" if k in TOKENS and v else self.plain(v, learn) for k, v in value.items()}
            return {k: v for k, v in sorted(items.items()) if v not in ("", [], {}, None)}
        if isinstance(value, list) and value and all(is_pair(entry) for entry in value):
            return self.plain({entry["Key"]: entry["Value"] for entry in value}, learn)
        if isinstance(value, list):
            # Sorted by what is known already, then named in that order.
            ordered = sorted(value, key=lambda entry: json.dumps(self.plain(entry, False), default=str))
            return [self.plain(entry, learn) for entry in ordered]
        if isinstance(value, datetime):
            return "<time>"
        return self.text(value, learn) if isinstance(value, str) else value


def is_pair(entry):
    """Tags and attributes: compared key by key."""
    return isinstance(entry, dict) and entry.keys() == {"Key", "Value"}


def differences(sim, moto):
    """Differences of two transcripts, step by step."""
    sim = [step for step in sim if step.compared]
    moto = [step for step in moto if step.compared]
    called = [step.operation for step in sim], [step.operation for step in moto]
    if called[0] != called[1]:
        return [Difference("", "the calls made", "value", *map(str, called))]
    names, found = (Names(), Names()), []
    for ours, theirs in zip(sim, moto, strict=True):
        outcome = [step.refusal or 200 for step in (ours, theirs)]
        if outcome[0] != outcome[1]:
            found.append(Difference(ours.operation, "outcome", "value", *map(str, outcome)))
        elif ours.answer is not None:
            pair = names[0].plain(ours.answer, True), names[1].plain(theirs.answer, True)
            found += between(ours.operation, "", *pair)
    return found


def between(operation, path, sim, moto):
    if isinstance(sim, dict) and isinstance(moto, dict):
        found = []
        for key in sorted(sim.keys() | moto.keys()):
            at = f"{path}.{key}" if path else key
            if key not in moto:
                found.append(Difference(operation, at, "sim only", short(sim[key]), "none"))
            elif key not in sim:
                found.append(Difference(operation, at, "moto only", "none", short(moto[key])))
            else:
                found += between(operation, at, sim[key], moto[key])
        return found
    if isinstance(sim, list) and isinstance(moto, list):
        at = f"{path}[]"
        if len(sim) != len(moto):
            return [Difference(operation, at, "value", f"{len(sim)} entries", f"{len(moto)} entries")]
        return [line for pair in zip(sim, moto, strict=True) for line in between(operation, at, *pair)]
    return [] if sim == moto else [Difference(operation, path, "value", short(sim), short(moto))]


def short(value):
    text = json.dumps(value, default=str)
    return text if len(text) <= 120 else text[:117] + "..."


class Table:
    """The known differences, and which of them were met."""

    def __init__(self, rows):
        self.rows = [(row, pattern(row[0]), pattern(row[1])) for row in rows]
        self.met = set()

    def explains(self, difference):
        for row, operation, path in self.rows:
            if (
                operation.fullmatch(difference.operation)
                and path.fullmatch(difference.path)
                and row[2] == difference.what
            ):
                self.met.add(row)
                return True
        return False

    def unmet(self):
        return [row for row, _, _ in self.rows if row not in self.met]


def pattern(glob):
    """`*` is anything; `a|b` is either."""
    return re.compile("|".join(re.escape(part).replace(r"\*", ".*") for part in glob.split("|")))
