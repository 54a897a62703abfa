"""The three protocols that AWS speaks here, as far as the launcher has to read and write them itself.

Requests are read for the call log and for matching faults; answers are written for errors, and rewritten for two
faults: a set that comes back empty, and an enum member that no client has heard of. Protocols: `ec2` (query in,
XML out), `query` (the same with other envelopes: load balancing, Auto Scaling, STS), `json` (SSM).
"""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus
from xml.sax.saxutils import escape

from moto.core.utils import get_service_model

from state import DEFAULT_REGION

UNKNOWN_MEMBER = "rebuilding"
# Names that scopes sign with, where botocore calls the service something else.
BOTOCORE_NAMES = {"elasticloadbalancing": "elbv2"}
CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d+/([^/]+)/([^/]+)/")


@dataclass
class Call:
    """One AWS request, as the log shows it."""

    seq: int
    service: str
    action: str
    access_key: str
    region: str
    protocol: str
    params: dict
    decoded: str  # the body with percent-encoding undone: what faults' `match` looks into
    page: int = 1
    account: str = ""
    request_id: str = ""
    effect_time: str | None = None  # when moto had applied it; None if it never was
    status: int | None = None
    error: str | None = None
    outcome: str = "open"  # then answered, dropped or killed
    fault: int | None = None

    def row(self):
        shown = (
            "seq",
            "service",
            "action",
            "access_key",
            "account",
            "region",
            "params",
            "page",
            "request_id",
        )
        row = {name: getattr(self, name) for name in shown}
        row.update(effect_time=self.effect_time, status=self.status, error=self.error)
        row.update(outcome=self.outcome, fault=self.fault)
        return row


def parse(seq, headers, body):
    """Reads a request; never fails, since an unreadable one has to be logged too."""
    text = body.decode("utf-8", "replace")
    match = CREDENTIAL.search(headers.get("Authorization", ""))
    access_key, region, service = match.groups() if match else ("", DEFAULT_REGION, "")
    target = headers.get("X-Amz-Target", "")
    if target:
        protocol, action, decoded = "json", target.rpartition(".")[2], text
        try:
            params = json.loads(text or "{}")
        except ValueError:
            params = {"unreadable": text}
    else:
        protocol = "ec2" if service == "ec2" else "query"
        params = dict(parse_qsl(text, keep_blank_values=True))
        action, decoded = params.pop("Action", ""), unquote_plus(text)
        params.pop("Version", None)
    params = dict(sorted(params.items()))
    request_id = f"{seq:08x}-0000-4000-8000-000000000000"
    return Call(seq, service, action, access_key, region, protocol, params, decoded, request_id=request_id)


def token_of(call):
    """The page token that a request brings, if any."""
    for name in ("NextToken", "Marker"):
        if call.params.get(name):
            return call.params[name]
    return None


TOKEN_IN_ANSWER = re.compile(rb"<(?:nextToken|NextToken|NextMarker)>([^<]+)<|\"NextToken\": ?\"([^\"]+)\"")


def next_token(body):
    match = TOKEN_IN_ANSWER.search(body)
    return (match.group(1) or match.group(2)).decode() if match else None


def render_error(call, status, code, message):
    """(status, content type, body) of an error in the protocol of the call."""
    if call.protocol == "json":
        body = json.dumps({"__type": code, "message": message})
        return status, "application/x-amz-json-1.1", body.encode()
    code, message = escape(code), escape(message)
    if call.protocol == "ec2":
        body = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{call.request_id}</RequestID></Response>"
        )
    else:
        kind = "Sender" if status < 500 else "Receiver"
        body = (
            f"<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{call.request_id}</RequestId></ErrorResponse>"
        )
    return status, "text/xml;charset=UTF-8", b'<?xml version="1.0" encoding="UTF-8"?>\n' + body.encode()


ERROR_CODE = re.compile(rb"<Code>([^<]*)</Code>|\"__type\": ?\"([^\"]*)\"")


def error_code(body):
    match = ERROR_CODE.search(body)
    return (match.group(1) or match.group(2) or b"").decode() if match else None


def set_request_id(call, body):
    """Puts the launcher's request id where moto left its own or a constant."""
    return re.sub(rb"<(requestId|RequestId|RequestID)>[^<]*<", rb"<\1>%s<" % call.request_id.encode(), body)


def local(element):
    return element.tag.rpartition("}")[2]


def serialise(root):
    namespace = root.tag[1:].partition("}")[0] if root.tag.startswith("{") else None
    return ET.tostring(root, encoding="utf-8", xml_declaration=True, default_namespace=namespace)


def list_members(call):
    """Wire names of the list members of the operation's answer."""
    model = get_service_model(BOTOCORE_NAMES.get(call.service, call.service)).operation_model(call.action)
    members = model.output_shape.members.items()
    lists = [(name, shape) for name, shape in members if shape.type_name == "list"]
    if call.protocol == "ec2":
        return [shape.serialization.get("name", name) for name, shape in lists]
    return [name for name, _ in lists]


def emptied(call, body):
    """The same answer with nothing in it: an empty set and no further page, as if there were no such objects."""
    names = list_members(call)
    if call.protocol == "json":
        answer = json.loads(body)
        return json.dumps({name: [] for name in names if name in answer}).encode()
    root = ET.fromstring(body)
    for parent in list(root.iter()):
        for child in list(parent):
            if local(child) in names:
                child[:] = []
            elif local(child) in ("nextToken", "NextToken", "NextMarker"):
                parent.remove(child)
    return serialise(root)


# Which elements hold a state, by the element around them.
STATE_ELEMENTS = {
    ("instanceState", "name"),
    ("instanceStatus", "status"),
    ("systemStatus", "status"),
    ("imageMetadata", "imageState"),
    ("TargetHealth", "State"),
}


def with_unknown_member(call, body, instance=None):
    """The same answer with states that are in no enum; with `instance`, in that one's entry alone."""
    if call.protocol == "json":
        return body  # SSM's answers hold no state
    root = ET.fromstring(body)
    scopes = [root]
    if instance:
        parents = {child: parent for parent in root.iter() for child in parent}
        scopes = []
        for element in root.iter():
            if local(element) in ("instanceId", "Id") and (element.text or "").strip() == instance:
                while local(element) not in ("item", "member"):
                    element = parents[element]
                scopes.append(element)
    for scope in scopes:
        for parent in scope.iter():
            for child in parent:
                if (local(parent), local(child)) in STATE_ELEMENTS:
                    child.text = UNKNOWN_MEMBER
                elif (local(parent), local(child)) == ("instanceState", "code"):
                    child.text = "96"
    return serialise(root)
