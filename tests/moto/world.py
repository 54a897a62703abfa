"""What the control routes do to instances, and the canonical picture of the world that tests compare."""

from datetime import UTC, datetime, timedelta

from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from moto.moto_api._internal import mock_random

import lifecycle
import lookup
import patches_elb
from state import BadRequest, S

OUTCOMES = ("holds", "falls_back", "never_healthy", "poison")
CHECKS = ("ok", "impaired", "insufficient-data", "initializing", "not-applicable")
DEFAULT_SEED = 1


def reset(body):
    """An empty world; ids repeat from one reset to the next, as far as the same things are made in the same order."""
    BackendDict.reset()
    S.replace()
    mock_random.seed(body.get("seed", DEFAULT_SEED))
    return {"reset": True}


def snapshot():
    """Every instance with state, reason and tags; every target with its health; every parameter. Advances nothing."""
    instances = [
        {
            "id": i.id,
            "account": account,
            "region": region,
            "state": i.state,
            "reason": i.state_reason.code if i.state_reason else None,
            "tags": dict(sorted(i.ec2_backend.tags.get(i.id, {}).items())),
            "image": i.image_id,
        }
        for account, region, i in lookup.each_instance()
    ]
    targets = []
    for account, region, group in lookup.each_target_group():
        for target in sorted(group.targets.values(), key=lambda t: (t["Id"], t["Port"])):
            state, reason, _ = patches_elb.health(group, target)
            row = {"target_group": group.name, "account": account, "region": region, "instance": target["Id"]}
            targets.append({**row, "port": target["Port"], "state": state, "reason": reason})
    parameters = [
        {"account": account, "region": region, "name": name, "value": versions[-1].value}
        for account, region, backend in sorted(
            get_backend("ssm").iter_backends(), key=lambda entry: entry[:2]
        )
        for name, versions in sorted(backend._parameters.items())
        if versions and not name.startswith("/aws/")
    ]
    return {"instances": instances, "targets": targets, "parameters": parameters}


def control_stop(body):
    """`/_h/stop`: an instance is stopped by whoever the code names, without a call that keepgreen could see."""
    found = lookup.instance(body["instance"])
    code = body.get("code", "Server.ScheduledStop")
    lifecycle.set_state(found, "stopped", code, body.get("message", ""), body.get("transition_reason"))
    return shown(found)


def control_state(body):
    """`/_h/state`: any state, by force."""
    found = lookup.instance(body["instance"])
    if body["state"] not in lifecycle.CODES:
        raise BadRequest(f"unknown state {body['state']!r}; expected one of {', '.join(lifecycle.CODES)}")
    lifecycle.set_state(
        found, body["state"], body.get("code", ""), body.get("message", ""), body.get("transition_reason")
    )
    return shown(found)


def control_status(body):
    """`/_h/status`: what the two status checks say while the instance runs; null ends the override."""
    found = lookup.instance(body["instance"])
    checks = {"since": body.get("since", now())}
    for kind, field in (("system", "system"), ("instance", "instance_check")):
        status = body.get(field)
        if status is not None:
            if status not in CHECKS:
                raise BadRequest(f"unknown status {status!r}; expected one of {', '.join(CHECKS)}")
            checks[kind] = status
    if len(checks) == 1:
        S.checks.pop(found.id, None)
    else:
        S.checks[found.id] = checks
    return {"instance": found.id, "checks": S.checks.get(found.id)}


def control_event(body):
    """`/_h/event`: a scheduled event, kept until removed (description null); `[Completed] …` is history."""
    found = lookup.instance(body["instance"])
    event_id = body.get("id", "instance-event-0d59937288b749b32")
    events = S.events.setdefault(found.id, {})
    if "description" in body and body["description"] is None:
        events.pop(event_id, None)
        return {"instance": found.id, "events": events}
    event = {
        "InstanceEventId": event_id,
        "Code": body.get("code", "instance-retirement"),
        "Description": body.get("description", "The instance is running on degraded hardware"),
        "NotBefore": body.get("not_before", now(days=14)),
    }
    for field, name in (("not_after", "NotAfter"), ("not_before_deadline", "NotBeforeDeadline")):
        if field in body:
            event[name] = body[field]
    events[event_id] = event
    return {"instance": found.id, "events": events}


def control_start_outcome(body):
    """`/_h/start_outcome`: what becomes of this instance's starts, or of this image's launches, from now on."""
    of_image = "image" in body
    found = lookup.image_backend(body["image"]).amis[body["image"]] if of_image else lookup.instance(body["instance"])
    outcome = body["outcome"]
    if outcome not in OUTCOMES:
        raise BadRequest(f"unknown outcome {outcome!r}; expected one of {', '.join(OUTCOMES)}")
    code = body.get("code", "Client.InternalError" if outcome == "falls_back" else "IncorrectInstanceState")
    message = body.get(
        "message", lifecycle.MESSAGES.get(code, f"The instance '{found.id}' cannot be started")
    )
    status = body.get("status", 500 if "Capacity" in code else 400)
    outcomes = S.launch_outcomes if of_image else S.start_outcomes
    outcomes[found.id] = {"outcome": outcome, "code": code, "message": message, "status": status}
    return {"image" if of_image else "instance": found.id, **outcomes[found.id]}


def control_mode(body):
    """`/_h/mode`: sets what is given, and returns the mode as it then is."""
    for name, value in body.items():
        if name not in vars(S.mode):
            raise BadRequest(f"unknown setting {name!r}; expected one of {', '.join(vars(S.mode))}")
        setattr(S.mode, name, bool(value) if name == "auto" else int(value))
    return dict(vars(S.mode))


def tick():
    """`/_h/tick`: one step of everything under way; what a step begins is left for the next tick."""
    done = patches_elb.tick()
    for instance_id in [i for i, left in S.initializing.items() if left > 0]:
        S.initializing[instance_id] = 0
        done.append({"instance": instance_id, "was": "initializing"})
    for _, _, found in list(lookup.each_instance()):
        before = found.state
        if lifecycle.advance(found):
            done.append({"instance": found.id, "was": before, "is": found.state})
    return {"done": done}


def shown(found):
    return {
        "instance": found.id,
        "state": found.state,
        "reason": found.state_reason and found.state_reason.code,
    }


def now(days=0):
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
