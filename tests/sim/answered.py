"""Whether an answer on the wire is one that AWS's model of its operation allows.

botocore skips what it does not know and leaves out what it does not find, so a misspelt element would only show as a
missing value, far away. Here the raw answer is walked beside the model: an element that the model does not have is a
problem, and so is text where there should be elements, a list without its `item`, a value outside its enum, a time that
does not parse, and a member missing that AWS always sends (`expected.py`).
"""

import json
import re
import xml.etree.ElementTree as ET

import awsmodel
from expected import ALWAYS

TAG = re.compile(r"(?:\{(?P<namespace>[^}]*)\})?(?P<name>.*)")
REQUEST_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ERROR_STATUSES = range(400, 600)


def local(node):
    return TAG.fullmatch(node.tag)["name"]


def namespace(node):
    return TAG.fullmatch(node.tag)["namespace"]


def problems(service, action, status, headers, body):
    """Everything that is wrong with an answer, an error included; empty if AWS could have sent it."""
    headers = {name.lower(): value for name, value in headers.items()}
    walk = Walk(service)
    is_json = awsmodel.protocol(service) == "json"
    wanted = "application/x-amz-json-1.1" if is_json else "text/xml"
    kind = headers.get("content-type", "").partition(";")[0]
    if kind != wanted:
        walk.add("", f"Content-Type is {kind!r}, not {wanted!r}")
    if not REQUEST_ID.fullmatch(headers.get("x-amzn-requestid", "")):
        walk.add("", f"the header x-amzn-RequestId is {headers.get('x-amzn-requestid')!r}")
    operation = awsmodel.operation_model(service, action)
    try:
        if status >= 300:
            walk.error(service, status, body)
        elif is_json:
            walk.json_answer(operation, body)
        else:
            walk.xml_answer(service, operation, body, headers.get("x-amzn-requestid"))
    except (ET.ParseError, UnicodeDecodeError, ValueError) as err:
        walk.add("", f"unreadable: {err}: {body[:200]!r}")
    return [f"{service}:{action}: {problem}" for problem in walk.found]


class Walk:
    """One walk over an answer of a service; `found` is what it met."""

    def __init__(self, service):
        self.always = ALWAYS.get(service, {})
        self.found = []

    def add(self, at, what):
        self.found.append(f"{at}: {what}" if at else what)

    def xml_answer(self, service, operation, body, request_id):
        root = ET.fromstring(body)
        if local(root) != f"{operation.name}Response":
            self.add("", f"the root element is {local(root)}, not {operation.name}Response")
        self.check_namespace(root, self.wanted_namespace(service))
        if awsmodel.protocol(service) == "ec2":
            self.ec2_answer(operation, root, request_id)
        else:
            self.query_answer(operation, root, request_id)

    def wanted_namespace(self, service):
        # EC2's model leaves out the slash that its answers have.
        return awsmodel.service_model(service).metadata["xmlNamespace"].rstrip("/") + "/"

    def check_namespace(self, root, wanted):
        for node in root.iter():
            if namespace(node) != wanted:
                self.add(local(node), f"its namespace is {namespace(node)!r}, not {wanted!r}")
                return

    def ec2_answer(self, operation, root, request_id):
        ids = [node for node in root if local(node) == "requestId"]
        if len(ids) != 1 or ids[0].text != request_id:
            self.add("requestId", "missing, or not that of the header")
        rest = [node for node in root if local(node) != "requestId"]
        shape = operation.output_shape
        if shape is None:
            if [(local(node), node.text) for node in rest] != [("return", "true")]:
                self.add("", "an operation without result answers <return>true</return>")
            return
        # Older operations say it beside their result, too.
        self.structure(shape, [node for node in rest if local(node) != "return" or "Return" in shape.members], "")

    def query_answer(self, operation, root, request_id):
        shape = operation.output_shape
        wrapper = shape.serialization.get("resultWrapper") if shape else None
        allowed = [name for name in (wrapper, f"{operation.name}Result", "ResponseMetadata") if name]
        for node in root:
            if local(node) not in allowed:
                self.add(local(node), "no such element here")
        metadata = [node for node in root if local(node) == "ResponseMetadata"]
        ids = [node.text for one in metadata for node in one if local(node) == "RequestId"]
        if ids != [request_id]:
            self.add("ResponseMetadata", f"its RequestId is {ids}, not that of the header")
        if shape is None:
            return
        results = [node for node in root if local(node) == wrapper]
        if len(results) != 1:
            self.add(wrapper, f"is there {len(results)} times, not once")
        for node in results:
            self.structure(shape, list(node), "")

    def structure(self, shape, nodes, at):
        known = {awsmodel.output_name(member, of): (member, of) for member, of in shape.members.items()}
        groups = {}
        for node in nodes:
            groups.setdefault(local(node), []).append(node)
        for name, found in groups.items():
            path = f"{at}.{name}" if at else name
            if name not in known:
                self.add(path, f"{shape.name} has no such element")
                continue
            of = known[name][1]
            if of.type_name == "list" and of.serialization.get("flattened"):
                for node in found:
                    self.value(of.member, node, path)
            else:
                if len(found) > 1:
                    self.add(path, "is there twice")
                self.value(of, found[0], path)
        self.missing(shape, {known[name][0] for name in groups if name in known}, at)

    def missing(self, shape, members, at):
        always = set(shape.required_members) | set(self.always.get(shape.name, ()))
        for member in sorted(always - members):
            self.add(at or shape.name, f"{member} of {shape.name} is missing, which AWS always sends")

    def value(self, shape, node, at):
        if node.attrib:
            self.add(at, f"has attributes {node.attrib}")
        if shape.type_name in ("structure", "list", "map") and (node.text or "").strip():
            self.add(at, f"holds the text {node.text!r}, not elements")
        if shape.type_name == "structure":
            self.structure(shape, list(node), at)
        elif shape.type_name == "list":
            self.list(shape, node, at)
        elif shape.type_name == "map":
            self.map(shape, node, at)
        elif len(node):
            self.add(at, f"holds elements, not a {shape.type_name}")
        else:
            self.scalar(shape, node.text or "", at)

    def list(self, shape, node, at):
        item = shape.member.serialization.get("name", "member")
        for n, entry in enumerate(node, 1):
            if local(entry) != item:
                self.add(f"{at}.{n}", f"is a {local(entry)}, not a {item}")
            self.value(shape.member, entry, f"{at}.{n}")

    def map(self, shape, node, at):
        names = [shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")]
        for n, entry in enumerate(node, 1):
            if [local(part) for part in entry] != names:
                self.add(f"{at}.{n}", f"is not {' and '.join(names)}")

    def scalar(self, shape, text, at):
        # AWS itself sends ids and names beyond its model's lengths and patterns, which are about requests.
        if shape.type_name == "string":
            if shape.enum and text not in shape.enum:
                self.add(at, awsmodel.string_problem(shape, text))
            return
        problem = awsmodel.scalar_problem(shape, text)
        if problem:
            self.add(at, problem)

    def json_answer(self, operation, body):
        answer = json.loads(body)
        if operation.output_shape is None:
            if answer != {}:
                self.add("", f"an operation without result answers {{}}, not {answer}")
            return
        self.json_value(operation.output_shape, answer, "")

    def json_value(self, shape, value, at):
        kind = shape.type_name
        if kind == "structure" and isinstance(value, dict):
            for name in value:
                path = f"{at}.{name}" if at else name
                if name in shape.members:
                    self.json_value(shape.members[name], value[name], path)
                else:
                    self.add(path, f"{shape.name} has no such member")
            self.missing(shape, set(value), at)
        elif kind == "list" and isinstance(value, list):
            for n, entry in enumerate(value, 1):
                self.json_value(shape.member, entry, f"{at}.{n}")
        elif kind == "map" and isinstance(value, dict):
            for key, entry in value.items():
                self.json_value(shape.value, entry, f"{at}.{key}")
        elif kind in ("structure", "list", "map"):
            self.add(at, f"{value!r} is not a {kind}")
        else:
            self.json_scalar(shape, value, at)

    def json_scalar(self, shape, value, at):
        kind = shape.type_name
        wanted = {"boolean": bool, "integer": int, "long": int, "string": str, "blob": str}.get(kind, int | float)
        if not isinstance(value, wanted) or (kind != "boolean" and isinstance(value, bool)):
            self.add(at, f"{value!r} is not a {kind}")
        elif kind == "string" and shape.enum and value not in shape.enum:
            self.add(at, awsmodel.string_problem(shape, value))

    def error(self, service, status, body):
        """An error: its envelope, whose fault it says it was, and that its code and its sentence are there."""
        if status not in ERROR_STATUSES:
            self.add("", f"the status {status} is no error's")
        if awsmodel.protocol(service) == "json":
            answer = json.loads(body)
            if not answer.get("__type"):
                self.add("__type", "missing: the error's code")
            if not isinstance(answer.get("message", answer.get("Message")), str):
                self.add("message", "missing")
            self.extra(set(answer) - {"__type", "message", "Message"})
            return
        root = ET.fromstring(body)
        if awsmodel.protocol(service) == "ec2":
            self.error_ec2(root)
        else:
            self.error_query(root, status, self.wanted_namespace(service))

    def extra(self, names):
        for name in sorted(names):
            self.add(name, "no such element in an error")

    def error_ec2(self, root):
        names = [local(node) for node in root]
        if local(root) != "Response" or names != ["Errors", "RequestID"]:
            self.add(local(root), f"holds {names}; an error of EC2 is a Response of Errors and RequestID")
            return
        for error in root[0]:
            self.error_fields(error, ["Code", "Message"])

    def error_query(self, root, status, wanted):
        names = [local(node) for node in root]
        if local(root) != "ErrorResponse" or names != ["Error", "RequestId"]:
            self.add(local(root), f"holds {names}; an error is an ErrorResponse of Error and RequestId")
            return
        self.check_namespace(root, wanted)
        fields = self.error_fields(root[0], ["Type", "Code", "Message"])
        whose = "Sender" if status < 500 else "Receiver"
        if fields.get("Type") != whose:
            self.add("Error.Type", f"is {fields.get('Type')!r}, not {whose!r}, with status {status}")

    def error_fields(self, error, wanted):
        fields = {local(node): node.text or "" for node in error}
        for name in wanted:
            if not fields.get(name):
                self.add(f"Error.{name}", "missing")
        self.extra(set(fields) - set(wanted))
        return fields
