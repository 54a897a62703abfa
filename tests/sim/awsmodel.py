"""AWS's own description of its APIs, as botocore carries it: shapes, the names they have on the wire, and what a value
may be.

Services are named as requests are signed for them (`elasticloadbalancing`, not `elbv2`), since that is what a request
on the wire says.
"""

import functools
import re
from datetime import datetime

from botocore.loaders import Loader
from botocore.model import OperationNotFoundError, ServiceModel

# Signing name -> botocore's name, where they differ.
BOTOCORE_NAMES = {"elasticloadbalancing": "elbv2"}
SERVICES = ("ec2", "elasticloadbalancing", "autoscaling", "ssm", "sts")

NUMBER = re.compile(r"-?[0-9]+")
REAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
# As AWS's XML services write times, and as its clients write them.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


@functools.cache
def service_model(service):
    """The model of a service; LookupError if botocore has none under this name."""
    name = BOTOCORE_NAMES.get(service, service)
    loader = Loader()
    if name not in loader.list_available_services("service-2"):
        raise LookupError(f"botocore has no model of a service {service!r}")
    return ServiceModel(loader.load_service_model(name, "service-2"), name)


def operation_model(service, action):
    try:
        return service_model(service).operation_model(action)
    except OperationNotFoundError:
        raise LookupError(f"{service} has no operation {action!r}") from None


def protocol(service):
    """`ec2`, `query` or `json`."""
    return service_model(service).metadata["protocol"]


def input_name(service, member, shape):
    """The name of a structure's member in a query request."""
    if protocol(service) != "ec2":
        return shape.serialization.get("name", member)
    if "queryName" in shape.serialization:
        return shape.serialization["queryName"]
    name = shape.serialization.get("name")
    return name[0].upper() + name[1:] if name else member


def output_name(member, shape):
    """The name of a structure's member in an XML answer."""
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        named = shape.member.serialization.get("name")
        if named:
            return named
    return shape.serialization.get("name", member)


# Patterns are written for Java; Python's words for the same, as far as they occur here.
JAVA_WORDS = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\d",
    r"\p{Z}": r" \u00a0\u2000-\u200a\u2028\u2029\u3000",
    r"\p{P}": r"!-/:-@\[-`{-~",
    r"\p{M}": r"\u0300-\u036f",
    r"\uD800\uDC00-\uDBFF\uDFFF": "\U00010000-\U0010ffff",
    r"[\w-\/": r"[\w\-\/",
}


@functools.cache
def compiled(pattern):
    """A model's pattern as Python reads it."""
    for java, python in JAVA_WORDS.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern)


def scalar_problem(shape, text):
    """What is wrong with the text of a scalar, or None: its type, its enum, its length, its pattern, its range."""
    kind = shape.type_name
    if kind == "boolean":
        return None if text in ("true", "false") else f"{text!r} is neither true nor false"
    if kind in ("integer", "long"):
        if not NUMBER.fullmatch(text):
            return f"{text!r} is not an integer"
        return range_problem(shape, int(text), "")
    if kind in ("float", "double"):
        return range_problem(shape, float(text), "") if REAL.fullmatch(text) else f"{text!r} is not a number"
    if kind == "timestamp":
        return time_problem(text)
    if kind == "blob":
        return None if BASE64.fullmatch(text) and len(text) % 4 == 0 else f"{text!r} is not base64"
    return string_problem(shape, text)


def string_problem(shape, text):
    # Where an enum may grow, botocore's list is what was known when it was made: still nothing else is made up here.
    if shape.enum and text not in shape.enum:
        return f"{text!r} is none of {', '.join(map(repr, shape.enum))}"
    problem = range_problem(shape, len(text), " characters")
    pattern = shape.metadata.get("pattern")
    if problem is None and pattern and not compiled(pattern).fullmatch(text):
        return f"{text!r} does not match {pattern}"
    return problem


def range_problem(shape, value, unit):
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        return f"{value}{unit}: fewer than {least}"
    if most is not None and value > most:
        return f"{value}{unit}: more than {most}"
    return None


def time_problem(text):
    if not TIME.fullmatch(text):
        return f"{text!r} is not a time like 2026-11-22T04:00:00.000Z"
    try:
        datetime.fromisoformat(text)
    except ValueError as err:
        return f"{text!r} is not a time: {err}"
    return None
