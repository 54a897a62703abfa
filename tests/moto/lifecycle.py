"""The states an instance goes through, on moto's own Instance objects.

    (launch) or stopped --start--> pending --(boot)--> running --stop--> stopping --> stopped
    any --terminate--> shutting-down --> terminated

moto jumps from one end to the other; here a boot and a stop take a number of DescribeInstances answers, or a tick.
A target's health follows its instance: whenever an instance leaves `running`, what its targets had earned is gone.
"""

import copy

from moto.core.utils import utcnow
from moto.ec2.models.instances import InstanceState, StateReason

from state import AwsError, S

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
IN_TRANSIT = ("pending", "stopping", "shutting-down")
# The codes of EC2's StateReason whose text a person knows; others repeat the code.
MESSAGES = {
    "Client.UserInitiatedShutdown": "User initiated shutdown",
    "Client.InstanceInitiatedShutdown": "Instance initiated shutdown",
    "Client.InternalError": "Client error on launch",
    "Server.ScheduledStop": "Stopped due to scheduled retirement",
    "Server.InternalError": "Internal error on launch",
}


def set_state(instance, name, code="", message="", transition_reason=None):
    """Puts an instance into a state. `code` is the StateReason code; without one there is no reason, as on AWS."""
    if name not in CODES:
        raise ValueError(f"unknown instance state {name!r}; expected one of {', '.join(CODES)}")
    instance._state = InstanceState(name, CODES[name])
    instance.state_reason = (
        StateReason(f"{code}: {message or MESSAGES.get(code, code)}", code) if code else None
    )
    if transition_reason is None:
        now = utcnow().strftime("%Y-%m-%d %H:%M:%S GMT")
        transition_reason = f"User initiated ({now})" if code.startswith("Client.User") else ""
    instance._reason = transition_reason
    if name in IN_TRANSIT:
        S.transit[instance.id] = S.mode.boot_describes
    else:
        S.transit.pop(instance.id, None)
    if name == "stopped":
        for nic in instance.nics.values():
            nic.stop()  # gives up an auto-assigned public address
    if name == "running":
        S.launching.discard(instance.id)
        S.initializing.setdefault(instance.id, S.mode.initial_describes)
    else:
        forget_health(instance.id)


def forget_health(instance_id):
    """What was true of a running instance is not true of the next boot, checks that failed included."""
    S.initializing.pop(instance_id, None)
    S.checks.pop(instance_id, None)
    for key in [key for key in S.target_life if key[1] == instance_id]:
        del S.target_life[key]


def settle(instance_id):
    """Ends what is under way for an instance: checks ok, targets healthy. For worlds that begin at peace."""
    S.initializing[instance_id] = 0


def start(instances):
    """StartInstances on all of them or none. Returns [(instance, previous state)]."""
    for instance in instances:
        outcome = S.start_outcomes.get(instance.id, {})
        if outcome.get("outcome") == "poison":
            raise AwsError(outcome["code"], outcome["message"], outcome["status"])
    for instance in instances:
        if instance.state not in ("stopped", "running", "pending"):
            raise AwsError(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not in a state from which it can be started.",
            )
    started = []
    for instance in instances:
        started.append((instance, copy.copy(instance._state)))
        if instance.state == "stopped":
            for nic in instance.nics.values():
                nic.start()
            instance.launch_time = utcnow()
            set_state(instance, "pending")
    return started


def stop(instances):
    """StopInstances on all of them or none. Returns [(instance, previous state)]."""
    for instance in instances:
        if instance.disable_api_stop:
            raise AwsError(
                "OperationNotPermitted",
                f"The instance '{instance.id}' may not be stopped. "
                "Modify its 'disableApiStop' instance attribute and try again.",
            )
        if instance.state not in ("running", "stopping", "stopped"):
            raise AwsError(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not in a state from which it can be stopped.",
            )
    stopped = []
    for instance in instances:
        stopped.append((instance, copy.copy(instance._state)))
        if instance.state == "running":
            set_state(instance, "stopping", "Client.UserInitiatedShutdown")
    return stopped


def advance(instance):
    """One step of what is under way for an instance; True if there was one."""
    if instance.state == "pending":
        outcome = S.start_outcomes.get(instance.id, {})
        if outcome.get("outcome") == "falls_back" and instance.id in S.launching:
            end(instance, outcome["code"], outcome["message"])
        elif outcome.get("outcome") == "falls_back":
            set_state(instance, "stopped", outcome["code"], outcome["message"])
        else:
            set_state(instance, "running")
    elif instance.state == "stopping":
        reason = instance.state_reason or StateReason()
        _, _, text = reason.message.partition(": ")
        set_state(instance, "stopped", reason.code, text, instance._reason)
    elif instance.state == "shutting-down":
        end(instance, "Client.UserInitiatedShutdown")
    else:
        return False
    return True


def end(instance, code, message=""):
    """Terminated: what goes with an instance is gone."""
    for part in goes_with_it:
        part(instance)
    S.launching.discard(instance.id)
    set_state(instance, "terminated", code, message)


# Called with each instance that becomes terminated; patches_launch.py adds what moto does then.
goes_with_it = []


def shown(instance):
    """Called before a DescribeInstances answer shows the instance: counts it, and ends a transit whose time is up."""
    if not S.mode.auto or instance.state not in IN_TRANSIT:
        return
    left = S.transit.get(instance.id, 0)
    if left > 0:
        S.transit[instance.id] = left - 1
    else:
        advance(instance)
