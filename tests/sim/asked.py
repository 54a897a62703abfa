"""Whether a request on the wire is one that AWS's model of its operation allows.

A request is read back into the operation's parameters, without botocore's help, and every departure is a problem:
a member that the operation does not have or requires and misses, a value of the wrong type, outside its enum, its
range, its length or its pattern, a list whose numbers have gaps or which is written in another protocol's way. The
parameters read are then given to botocore's own serializer: it has to write the very same request.
"""

import json

from botocore.serialize import create_serializer
from botocore.validate import ParamValidator
from urllib.parse import parse_qsl

import awsmodel


class Asked:
    """One request: what a recorded line holds (see `from_line`), and the problems found in it."""

    def __init__(self, service, action, body, headers, method="POST", path="/"):
        self.service, self.action, self.body = service, action, body
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.method, self.path = method, path

    @classmethod
    def from_line(cls, line):
        """From one recorded line: a JSON object with service, action, method, path, headers, body."""
        row = json.loads(line)
        return cls(row["service"], row["action"], row["body"], row["headers"], row["method"], row["path"])

    @property
    def name(self):
        return f"{self.service}:{self.action}"

    def problems(self):
        """Everything that is wrong with it; empty if AWS's model allows it."""
        try:
            operation = awsmodel.operation_model(self.service, self.action)
        except LookupError as err:
            return [str(err)]
        found = []
        if (self.method, self.path) != ("POST", "/"):
            found.append(f"sent as {self.method} {self.path}, not as POST /")
        if awsmodel.protocol(self.service) not in ("ec2", "query", "json"):
            return [f"{self.name}: a request of the protocol {awsmodel.protocol(self.service)} is not read here"]
        read = self._read_json if awsmodel.protocol(self.service) == "json" else self._read_query
        params = read(operation, found)
        if not found and params is not None:
            found += by_botocore(operation, params)
        return [f"{self.name}: {problem}" for problem in found]

    def _content_type(self, wanted, found):
        kind = self.headers.get("content-type", "").partition(";")[0].strip()
        if kind != wanted:
            found.append(f"Content-Type is {kind!r}, not {wanted!r}")

    def _read_query(self, operation, found):
        self._content_type("application/x-www-form-urlencoded", found)
        pairs = {}
        for key, value in parse_qsl(self.body, keep_blank_values=True, strict_parsing=bool(self.body)):
            if key in pairs:
                found.append(f"{key} is there twice")
            pairs[key] = value
        whole = dict(pairs)
        version, wanted = pairs.pop("Version", None), operation.metadata["apiVersion"]
        if version != wanted:
            found.append(f"Version is {version!r}, not {wanted!r}")
        if pairs.pop("Action", None) != operation.name:
            found.append("Action is missing or names another operation")
        reader = QueryReader(self.service, pairs, found)
        params = reader.structure(operation.input_shape, "") if operation.input_shape else {}
        found += [f"{key}: no such member" for key in pairs]
        if not found:
            found += rewritten_differently(operation, params, whole)
        return params

    def _read_json(self, operation, found):
        version = operation.metadata.get("jsonVersion", "1.0")
        self._content_type(f"application/x-amz-json-{version}", found)
        target = f"{operation.metadata['targetPrefix']}.{operation.name}"
        if self.headers.get("x-amz-target") != target:
            found.append(f"X-Amz-Target is {self.headers.get('x-amz-target')!r}, not {target!r}")
        try:
            body = json.loads(self.body or "{}")
        except ValueError as err:
            found.append(f"the body is not JSON: {err}")
            return None
        found += json_problems(operation.input_shape, body, "")
        return body


class QueryReader:
    """Reads `Name.1.Key=…` back into parameters; takes what it has understood out of the pairs."""

    def __init__(self, service, pairs, found):
        self.service, self.pairs, self.found = service, pairs, found
        self.is_ec2 = awsmodel.protocol(service) == "ec2"

    def _is_there(self, prefix):
        return prefix in self.pairs or any(key.startswith(prefix + ".") for key in self.pairs)

    def structure(self, shape, prefix):
        params = {}
        for member, of in shape.members.items():
            name = awsmodel.input_name(self.service, member, of)
            at = f"{prefix}.{name}" if prefix else name
            if self._is_there(at):
                params[member] = self.value(of, at)
            elif member in shape.required_members:
                self.found.append(f"{at} is required and missing")
        return params

    def value(self, shape, at):
        if shape.type_name == "structure":
            return self.structure(shape, at)
        if shape.type_name == "list":
            return self.list(shape, at)
        if shape.type_name == "map":
            self.found.append(f"{at}: maps in query requests are not read here")
            return {}
        if at not in self.pairs:
            self.found.append(f"{at} is one value, not a list or a structure")
            return None
        text = self.pairs.pop(at)
        problem = awsmodel.scalar_problem(shape, text)
        if problem:
            self.found.append(f"{at}: {problem}")
            return None
        return parsed(shape, text)

    def list(self, shape, at):
        if not self.is_ec2:
            if self.pairs.get(at) == "":
                del self.pairs[at]
                return []
            if not shape.serialization.get("flattened"):
                at = f"{at}.{shape.member.serialization.get('name', 'member')}"
        values = []
        while self._is_there(f"{at}.{len(values) + 1}"):
            values.append(self.value(shape.member, f"{at}.{len(values) + 1}"))
        if not values:
            self.found.append(f"{at} is a list, whose entries are {at}.1, {at}.2, …")
        problem = awsmodel.range_problem(shape, len(values), " entries")
        if problem:
            self.found.append(f"{at}: {problem}")
        return values


def parsed(shape, text):
    """A scalar's text as botocore's serializer takes it."""
    kind = shape.type_name
    if kind == "boolean":
        return text == "true"
    if kind in ("integer", "long"):
        return int(text)
    if kind in ("float", "double"):
        return float(text)
    return text


def by_botocore(operation, params):
    """What botocore's own validator says, which looks at types, required members and lower limits."""
    if operation.input_shape is None:
        return []
    report = ParamValidator().validate(params, operation.input_shape)
    return [f"botocore: {report.generate_report()}"] if report.has_errors() else []


def rewritten_differently(operation, params, whole):
    """How the request differs from the one that botocore writes from the same parameters."""
    serializer = create_serializer(operation.metadata["protocol"], include_validation=False)
    written = serializer.serialize_to_request(params, operation)["body"]
    missing, further = sorted(whole.keys() - written.keys()), sorted(written.keys() - whole.keys())
    return [f"{key}: botocore would not write it" for key in missing] + [
        f"{key}: botocore would write it" for key in further
    ]


def json_problems(shape, value, at):
    """Problems of a JSON request's value, members and all."""
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            return [f"{at or 'the body'} is not an object"]
        found = [f"{at}{name}: no such member" for name in value if name not in shape.members]
        found += [f"{at}{name} is required and missing" for name in shape.required_members if name not in value]
        known = ((name, of) for name, of in shape.members.items() if name in value)
        return found + [line for name, of in known for line in json_problems(of, value[name], f"{at}{name}")]
    if kind == "list":
        if not isinstance(value, list):
            return [f"{at} is not a list"]
        problem = awsmodel.range_problem(shape, len(value), " entries")
        found = [f"{at}: {problem}"] if problem else []
        entries = enumerate(value, 1)
        return found + [line for n, entry in entries for line in json_problems(shape.member, entry, f"{at}.{n}")]
    if kind == "map":
        if not isinstance(value, dict):
            return [f"{at} is not an object"]
        return [line for key, entry in value.items() for line in json_problems(shape.value, entry, f"{at}.{key}")]
    return json_scalar_problems(shape, value, at)


JSON_TYPES = {"boolean": bool, "integer": int, "long": int, "float": (int, float), "double": (int, float)}


def json_scalar_problems(shape, value, at):
    kind = shape.type_name
    if kind == "timestamp":
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return [] if is_number else [f"{at}: {value!r} is not a time in seconds"]
    wanted = JSON_TYPES.get(kind, str)
    if not isinstance(value, wanted) or (kind != "boolean" and isinstance(value, bool)):
        return [f"{at}: {value!r} is not a {kind}"]
    if kind == "boolean":
        return []
    if kind in JSON_TYPES:
        problem = awsmodel.range_problem(shape, value, "")
    else:
        problem = awsmodel.scalar_problem(shape, value)
    return [f"{at}: {problem}"] if problem else []
