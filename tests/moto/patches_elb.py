"""Target health as a load balancer reports it: by id and port, through initial, following the instance's state.

moto knows a target by its id alone and calls it healthy at once. Here a target that was registered, or whose
instance came up again, is `initial` for some DescribeTargetHealth answers and then healthy; a stopped instance's is
unused/Target.InvalidState; a group without a load balancer has only unused targets. A deregistered one drains for some
answers, in which it is still listed, and is gone.
"""

from moto.core.responses import ActionResult
from moto.elbv2.exceptions import TargetNotRunning
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response

import lookup
from state import AwsError, BadRequest, S

PAGE_MAX = 400
DESCRIPTIONS = {
    "Elb.RegistrationInProgress": "Target registration is in progress",
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Elb.InternalError": "The health checks failed due to an internal error",
    "Target.ResponseCodeMismatch": "Health checks failed with these codes: [502]",
    "Target.Timeout": "Request timed out",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.NotRegistered": "Target is not registered to the target group",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Target.HealthCheckDisabled": "Health checks are disabled for this target",
}

_describe_target_groups = ELBV2Response.describe_target_groups
_describe_target_health = ELBv2Backend.describe_target_health


def install():
    FakeTargetGroup.register = register
    FakeTargetGroup.deregister = deregister
    FakeTargetGroup.deregister_terminated_instances = deregister_terminated_instances
    FakeTargetGroup.health_for = health_for
    ELBv2Backend.describe_target_health = describe_target_health
    ELBV2Response.describe_target_groups = describe_target_groups


def port_of(group, target):
    return int(target.get("Port") or group.port)


def key_of(group, target):
    return (group.arn, target["Id"], port_of(group, target))


def register(self, targets):
    for target in targets:
        instance = self.ec2_backend.get_instance_by_id(target["Id"])
        if instance and instance.state != "running":
            raise TargetNotRunning(instance_id=target["Id"])
    for target in targets:
        port = port_of(self, target)
        self.targets[f"{target['Id']}:{port}"] = {"Id": target["Id"], "Port": port}
        self.deregistered_targets.pop(f"{target['Id']}:{port}", None)
        S.target_life.pop(key_of(self, target), None)
        S.draining.pop(key_of(self, target), None)


def deregister(self, targets):
    """Without a port, deregisters the id at every port that it is registered with. What is not registered is no error on
    AWS, though it is one in moto."""
    for target in targets:
        found = [
            name
            for name, t in self.targets.items()
            if t["Id"] == target["Id"] and ("Port" not in target or t["Port"] == int(target["Port"]))
        ]
        for name in found:
            target = self.targets.pop(name)
            self.deregistered_targets[name] = target
            S.draining[key_of(self, target)] = S.mode.draining_describes


def describe_target_health(self, target_group_arn, targets):
    """Without targets all of them, those that drain included, which moto leaves out."""
    group = self.target_groups.get(target_group_arn)
    if group is None or targets:
        return _describe_target_health(self, target_group_arn, targets)
    drained = [t for name, t in group.deregistered_targets.items() if name not in group.targets]
    for target in drained:
        left = S.draining.get(key_of(group, target), 0)
        if left > 0 or not S.mode.auto:
            S.draining[key_of(group, target)] = left - 1 if S.mode.auto else left
        else:
            del group.deregistered_targets[f"{target['Id']}:{target['Port']}"]
    draining = [t for name, t in group.deregistered_targets.items() if name not in group.targets]
    shown = [*group.targets.values(), *draining]
    return [group.health_for(target, self.ec2_backend) for target in shown]


def deregister_terminated_instances(self, instance_ids):
    for targets in (self.targets, self.deregistered_targets):
        for name, target in list(targets.items()):
            if target["Id"] in instance_ids:
                del targets[name]


def health_for(self, target, ec2_backend):
    """One target's health; counts the answer when it says initial."""
    state, reason, description = health(self, target, count=True)
    return FakeHealthStatus(
        target["Id"], port_of(self, target), self.health_check_port, state, reason, description
    )


def health(group, target, count=False):
    """(state, reason, description) of a target. With `count`, this is an answer to DescribeTargetHealth."""
    name = f"{target['Id']}:{port_of(group, target)}"
    key = key_of(group, target)
    if name not in group.targets:
        if name in group.deregistered_targets:
            return say("draining", "Target.DeregistrationInProgress")
        return say("unused", "Target.NotRegistered")
    if key in S.target_override:
        return S.target_override[key]
    instance = group.ec2_backend.get_instance_by_id(target["Id"])
    if instance and instance.state != "running":
        return ("unused", "Target.InvalidState", f"Target is in the {instance.state} state")
    if not group.load_balancer_arns:
        return say("unused", "Target.NotInUse")
    left = S.target_life.get(key, S.mode.initial_describes)
    if left > 0:
        if count:
            S.target_life[key] = left - 1 if S.mode.auto else left
        return say("initial", "Elb.InitialHealthChecking")
    if S.start_outcomes.get(target["Id"], {}).get("outcome") == "never_healthy":
        return say("unhealthy", "Target.FailedHealthChecks")
    return ("healthy", None, None)


def say(state, reason):
    return (state, reason, DESCRIPTIONS[reason])


def describe_target_groups(self):
    result = _describe_target_groups(self)
    groups = list(result.result["TargetGroups"])
    asked = self._get_param("PageSize")
    if asked is not None and not 1 <= int(asked) <= PAGE_MAX:
        raise AwsError("ValidationError", f"PageSize must be 1 to {PAGE_MAX}, not {asked}")
    size = int(asked or PAGE_MAX)
    if S.mode.page_size:
        size = min(size, S.mode.page_size)
    marker = self._get_param("Marker") or "page-from-0"
    if not marker.startswith("page-from-") or not marker[10:].isdigit():
        raise AwsError("ValidationError", f"Marker {marker!r} is invalid")
    start = int(marker[10:])
    end = start + size
    return ActionResult(
        {"TargetGroups": groups[start:end], "NextMarker": f"page-from-{end}" if end < len(groups) else None}
    )


def settle(group, instance_id):
    """Makes an instance's targets healthy at once, for worlds that begin at peace."""
    for target in group.targets.values():
        if target["Id"] == instance_id:
            S.target_life[key_of(group, target)] = 0


def control_target(body):
    """`/_h/target`: overrides what the load balancer says of a registered target; a null state ends the override."""
    group = lookup.target_group(body["target_group"])
    target = {"Id": body["instance"], "Port": body.get("port")}
    key = key_of(group, target)
    if f"{target['Id']}:{key[2]}" not in group.targets:
        raise BadRequest(f"{target['Id']} is not registered in {group.name} with port {key[2]}")
    if body.get("state") is None:
        S.target_override.pop(key, None)
    else:
        reason = body.get("reason")
        text = body.get("description") or DESCRIPTIONS.get(reason)
        S.target_override[key] = (body["state"], reason, text)
    return {"target_group": group.arn, "instance": key[1], "port": key[2], "health": health(group, target)[0]}


def tick():
    """Every initial target becomes what it was going to be; every draining one is gone. Says what it did."""
    done = []
    for _, _, group in lookup.each_target_group():
        for name, target in group.targets.items():
            if health(group, target)[0] == "initial":
                S.target_life[key_of(group, target)] = 0
                done.append({"target_group": group.arn, "target": name, "was": "initial"})
        for name in list(group.deregistered_targets):
            del group.deregistered_targets[name]
            done.append({"target_group": group.arn, "target": name, "was": "draining"})
    return done
