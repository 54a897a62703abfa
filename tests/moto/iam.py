"""IAM as far as it takes to prove that a shipped policy is enough, and no more than enough.

`/_h/iam` makes a user with exactly one policy; from then on every call is judged by AWS's order: an explicit deny
wins, else an allow is needed. Actions, resources and tag conditions are looked at. Without resource-level
permissions on AWS (every Describe*) the resource is `*`, so a statement that names ARNs does not allow it.
"""

import json
import re

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

import lookup
from state import DEFAULT_ACCOUNT, AwsError, BadRequest, Principal, S

# Always let through, so that a test can set its stage with an SDK while a policy is enforced.
SETUP_KEY = "AKIASETUPSETUPSETUPX"


def control_iam(body):
    """`/_h/iam`: see control.HELP."""
    answer = {"setup_access_key": SETUP_KEY, "setup_secret_key": "setup"}
    if "policy" in body:
        account = body.get("account", DEFAULT_ACCOUNT)
        backend = iam_backends[account]["aws"]
        name = f"keepgreen-{len(S.principals) + 1}"
        backend.create_user("us-east-1", name)
        key = backend.create_access_key(user_name=name)
        arn = f"arn:aws:iam::{account}:user/{name}"
        S.principals[key.access_key_id] = Principal(arn, [checked(body["policy"])])
        answer.update(access_key=key.access_key_id, secret_key=key.secret_access_key, arn=arn)
    if "role" in body:
        role = body["role"]
        account = role.get("account", DEFAULT_ACCOUNT)
        arn = f"arn:aws:iam::{account}:role/{role['name']}"
        S.roles[arn] = Principal(arn, [checked(role["policy"])])
        answer["role_arn"] = arn
    if "enforce" in body:
        S.enforce = bool(body["enforce"])
    answer["enforce"] = S.enforce
    return answer


def checked(policy):
    """A policy document whose every part is understood; anything else would be enforced wrongly, silently."""
    policy = json.loads(policy) if isinstance(policy, str) else policy
    for statement in listed(policy.get("Statement")):
        unknown = set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"}
        if unknown or statement.get("Effect") not in ("Allow", "Deny"):
            raise BadRequest(f"the launcher does not enforce this statement: {statement}")
        if "Resource" not in statement or "Action" not in statement:
            raise BadRequest(f"a statement needs Action and Resource: {statement}")
        for operator, keys in statement.get("Condition", {}).items():
            if operator.removesuffix("IfExists") not in OPERATORS:
                raise BadRequest(f"the launcher does not know the condition operator {operator}")
            for key in keys:
                if condition_value(key, "", {}, "") is UNKNOWN:
                    raise BadRequest(f"the launcher does not know the condition key {key}")
    return policy


def check(request):
    """Raises AwsError unless the caller of this moto request may do it."""
    if not S.enforce or request.access_key == SETUP_KEY:
        return
    service = service_of(request)
    action = f"{service}:{request._get_action()}"
    principal = principal_of(request.access_key)
    if principal is None:
        code = "AuthFailure" if service == "ec2" else "InvalidClientTokenId"
        raise AwsError(
            code, f"The access key {request.access_key} belongs to nobody that a policy was given", 403
        )
    if action == "sts:GetCallerIdentity":
        return
    for arn, tags in resources_of(request, action):
        if not allowed(principal.policies, action, arn, tags, request.region):
            refuse(service, principal, action, arn)


def refuse(service, principal, action, arn):
    text = f"User: {principal.arn} is not authorized to perform: {action} on resource: {arn}"
    if service == "ec2":
        raise AwsError(
            "UnauthorizedOperation", f"You are not authorized to perform this operation. {text}", 403
        )
    if service == "ssm":
        raise AwsError("AccessDeniedException", text, 400)
    raise AwsError("AccessDenied", text, 403)


def service_of(request):
    """The name that the request was signed for, which is also the prefix of its IAM actions."""
    scope = request.headers.get("Authorization", "").partition("Credential=")[2].split(",")[0].split("/")
    return scope[3] if len(scope) > 3 else ""


def principal_of(access_key):
    if access_key in S.principals:
        return S.principals[access_key]
    for _, _, backend in sts_backends.iter_backends():
        for assumed in backend.assumed_roles:
            if assumed.access_key_id == access_key and assumed.role_arn in S.roles:
                return Principal(assumed.arn, S.roles[assumed.role_arn].policies)
    return None


def resources_of(request, action):
    """[(ARN, tags)] that the action touches; each one must be allowed."""
    region, account = request.region, request.current_account
    if action in ("ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances", "ec2:RebootInstances"):
        tags = {i.id: i.ec2_backend.tags.get(i.id, {}) for _, _, i in lookup.each_instance()}
        ids = request._get_param("InstanceIds", [])
        return [(f"arn:aws:ec2:{region}:{account}:instance/{i}", tags.get(i, {})) for i in ids]
    if action.startswith("ssm:"):
        names = request._get_param("Names") or [request._get_param("Name")]
        prefix = f"arn:aws:ssm:{region}:{account}:parameter/"
        return [(prefix + str(name).removeprefix("/"), {}) for name in names]
    if action == "sts:AssumeRole":
        return [(request._get_param("RoleArn"), {})]
    return [("*", {})]


def allowed(policies, action, arn, tags, region):
    permitted = False
    for policy in policies:
        for statement in listed(policy["Statement"]):
            if applies(statement, action, arn, tags, region):
                if statement["Effect"] == "Deny":
                    return False
                permitted = True
    return permitted


def applies(statement, action, arn, tags, region):
    if not any(like(pattern.lower(), action.lower()) for pattern in listed(statement["Action"])):
        return False
    if not any(like(pattern, arn) for pattern in listed(statement["Resource"])):
        return False
    for operator, keys in statement.get("Condition", {}).items():
        for key, wanted in keys.items():
            actual = condition_value(key, arn, tags, region)
            if actual is None:
                if not operator.endswith("IfExists"):
                    return False
            elif not OPERATORS[operator.removesuffix("IfExists")](actual, listed(wanted)):
                return False
    return True


UNKNOWN = object()
OPERATORS = {
    "StringEquals": lambda actual, wanted: actual in wanted,
    "StringNotEquals": lambda actual, wanted: actual not in wanted,
    "StringLike": lambda actual, wanted: any(like(pattern, actual) for pattern in wanted),
    "ArnLike": lambda actual, wanted: any(like(pattern, actual) for pattern in wanted),
}


def condition_value(key, arn, tags, region):
    """What a condition key is in this call; None if it is absent from it, UNKNOWN if the launcher cannot tell."""
    prefix, _, name = key.partition("/")
    if prefix.lower() in ("aws:resourcetag", "ec2:resourcetag"):
        return tags.get(name)
    if key.lower() in ("aws:requestedregion", "ec2:region"):
        return region
    if key.lower() == "aws:resourceaccount":
        return arn.split(":")[4] if arn.count(":") >= 5 else None
    return UNKNOWN


def like(pattern, text):
    """IAM's wildcards: * any run, ? any one character."""
    pattern = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(pattern, text, re.DOTALL) is not None


def listed(value):
    return value if isinstance(value, list) else [value]
