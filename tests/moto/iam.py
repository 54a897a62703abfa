"""IAM as far as it takes to prove that a shipped policy is enough, and no more than enough.

`/_h/iam` makes a user with exactly one policy; from then on every call is judged by AWS's order: an explicit deny
wins, else an allow is needed. Actions, resources and tag conditions are looked at. Without resource-level
permissions on AWS (every Describe*) the resource is `*`, so a statement that names ARNs does not allow it. A launch
needs what it needs on AWS: every kind of object that it touches, the tagging of what it makes, the passing of its role.
"""

import json
import re
from dataclasses import dataclass, field

from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

import lookup
from state import DEFAULT_ACCOUNT, AwsError, BadRequest, Principal, S

# Always let through, so that a test can set its stage with an SDK while a policy is enforced.
SETUP_KEY = "AKIASETUPSETUPSETUPX"


@dataclass
class Need:
    """One thing that a call may do only if a statement allows it."""

    action: str
    arn: str
    region: str
    tags: dict = field(default_factory=dict)  # that the object has
    asked: dict = field(default_factory=dict)  # tags that the request would give
    create: str | None = None  # ec2:CreateAction
    passed_to: str | None = None  # iam:PassedToService


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
            if operator.removesuffix("IfExists").removeprefix(FOR_ALL) not in OPERATORS:
                raise BadRequest(f"the launcher does not know the condition operator {operator}")
            for key in keys:
                if condition_value(key, Need("", "", "")) is UNKNOWN:
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
    # A call that names nothing needs the right to do it to anything.
    for need in needs_of(request, action) or [Need(action, "*", request.region)]:
        if not allowed(principal.policies, need):
            refuse(service, principal, need.action, need.arn)


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


def needs_of(request, action):
    """Everything that has to be allowed for this call."""
    region, account = request.region, request.current_account
    if action == "ec2:RunInstances":
        return needs_of_launch(request)
    if action in ("ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances", "ec2:RebootInstances"):
        return [of_instance(request, action, i) for i in request._get_param("InstanceIds", [])]
    if action == "ec2:ModifyInstanceAttribute":
        return [of_instance(request, action, request._get_param("InstanceId"))]
    if action == "ec2:CreateTags":
        asked = {tag["Key"]: tag["Value"] for tag in request._get_param("Tags", [])}
        needs = [of_instance(request, action, i) for i in request._get_param("Resources", [])]
        for need in needs:
            need.asked = asked
        return needs
    if action in ("elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"):
        arn = request._get_param("TargetGroupArn")
        tags = elbv2_backends[account][region].tagging_service.get_tag_dict_for_resource(arn)
        return [Need(action, arn, region, tags)]
    if action.startswith("ssm:"):
        names = request._get_param("Names") or [request._get_param("Name")]
        prefix = f"arn:aws:ssm:{region}:{account}:parameter/"
        return [Need(action, prefix + str(name).removeprefix("/"), region) for name in names]
    if action == "sts:AssumeRole":
        return [Need(action, request._get_param("RoleArn"), region)]
    return [Need(action, "*", region)]


def of_instance(request, action, instance_id):
    tags = {i.id: i.ec2_backend.tags.get(i.id, {}) for _, _, i in lookup.each_instance()}
    arn = f"arn:aws:ec2:{request.region}:{request.current_account}:instance/{instance_id}"
    return Need(action, arn, request.region, tags.get(instance_id, {}))


def needs_of_launch(request):
    region, action = request.region, "ec2:RunInstances"
    prefix = f"arn:aws:ec2:{region}:{request.current_account}:"
    given = request._parse_tag_specification()
    nics = request._get_param("NetworkInterfaces", [])
    groups = request._get_param("SecurityGroupIds", []) + [g for nic in nics for g in nic.get("Groups", [])]
    subnets = [request._get_param("SubnetId"), *(nic.get("SubnetId") for nic in nics)]
    touched = [f"security-group/{group}" for group in groups] + [f"subnet/{s}" for s in subnets if s]
    if request._get_param("KeyName"):
        touched.append(f"key-pair/{request._get_param('KeyName')}")
    if request._get_param("LaunchTemplate", {}):
        touched.append("launch-template/lt-1")
    needs = [Need(action, f"arn:aws:ec2:{region}::image/{request._get_param('ImageId')}", region)]
    needs += [Need(action, prefix + one, region) for one in touched]
    for kind in ("instance", "volume", "network-interface"):
        asked = dict(given.get(kind, {}))
        needs.append(Need(action, f"{prefix}{kind}/*", region, asked=asked))
        if asked:
            needs.append(Need("ec2:CreateTags", f"{prefix}{kind}/*", region, asked=asked, create="RunInstances"))
    profile = request._get_param("IamInstanceProfile.Arn")
    if profile:
        backend = iam_backends[request.current_account]["aws"]
        roles = backend.get_instance_profile_by_arn(profile).roles
        needs += [Need("iam:PassRole", role.arn, region, passed_to="ec2.amazonaws.com") for role in roles]
    return needs


def allowed(policies, need):
    permitted = False
    for policy in policies:
        for statement in listed(policy["Statement"]):
            if applies(statement, need):
                if statement["Effect"] == "Deny":
                    return False
                permitted = True
    return permitted


def applies(statement, need):
    if not any(like(pattern.lower(), need.action.lower()) for pattern in listed(statement["Action"])):
        return False
    if not any(like(pattern, need.arn) for pattern in listed(statement["Resource"])):
        return False
    for operator, keys in statement.get("Condition", {}).items():
        for key, wanted in keys.items():
            actual = condition_value(key, need)
            test = OPERATORS[operator.removesuffix("IfExists").removeprefix(FOR_ALL)]
            if operator.startswith(FOR_ALL):
                if not all(test(one, listed(wanted)) for one in actual):
                    return False
            elif actual is None:
                if not operator.endswith("IfExists"):
                    return False
            elif not test(actual, listed(wanted)):
                return False
    return True


FOR_ALL = "ForAllValues:"
UNKNOWN = object()
OPERATORS = {
    "StringEquals": lambda actual, wanted: actual in wanted,
    "StringNotEquals": lambda actual, wanted: actual not in wanted,
    "StringLike": lambda actual, wanted: any(like(pattern, actual) for pattern in wanted),
    "ArnLike": lambda actual, wanted: any(like(pattern, actual) for pattern in wanted),
}


def condition_value(key, need):
    """What a condition key is in this call; None if it is absent from it, UNKNOWN if the launcher cannot tell."""
    prefix, _, name = key.partition("/")
    if prefix.lower() in ("aws:resourcetag", "ec2:resourcetag"):
        return need.tags.get(name)
    if prefix.lower() == "aws:requesttag":
        return need.asked.get(name)
    if key.lower() == "aws:tagkeys":
        return sorted(need.asked)
    if key.lower() == "ec2:createaction":
        return need.create
    if key.lower() == "iam:passedtoservice":
        return need.passed_to
    if key.lower() in ("aws:requestedregion", "ec2:region"):
        return need.region
    if key.lower() == "aws:resourceaccount":
        return need.arn.split(":")[4] if need.arn.count(":") >= 5 else None
    return UNKNOWN


def like(pattern, text):
    """IAM's wildcards: * any run, ? any one character."""
    pattern = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(pattern, text, re.DOTALL) is not None


def listed(value):
    return value if isinstance(value, list) else [value]
