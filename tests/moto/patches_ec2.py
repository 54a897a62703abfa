"""EC2 instances as AWS shows them: paged by instance, with boots that take time, checks that fail, scheduled events.

Replaces moto's DescribeInstances (pages by reservation), DescribeInstanceStatus (no pages, no events, never
impaired, ignores unknown filters) and the unchecked StartInstances and StopInstances. Field names are those of
botocore's model; moto's serialiser turns them into the wire form.
"""

import copy

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.responses import EC2Response
from moto.ec2.utils import is_tag_filter, passes_filter_dict, tag_filter_matches

import lifecycle
from state import AwsError, S

PAGE_MAX = 1000
STATUS_IDS_MAX = 100


def install():
    EC2Response.describe_instances = describe_instances
    EC2Response.describe_instance_status = describe_instance_status
    EC2Response.start_instances = start_instances
    EC2Response.stop_instances = stop_instances
    TaggedEC2Resource.get_tags = get_tags


def get_tags(self):
    """moto matches a pattern against every tag of the account, for every instance: quadratic, and felt at 100."""
    return [{"key": key, "value": value} for key, value in self.ec2_backend.tags.get(self.id, {}).items()]


def instances_of(response, ids):
    """The instances named, or all; an id that does not exist fails the whole call, as on AWS."""
    every = [i for r in response.ec2_backend.reservations.values() for i in r.instances]
    if not ids:
        return every
    by_id = {instance.id: instance for instance in every}
    missing = [i for i in ids if i not in by_id]
    if missing:
        raise InvalidInstanceIdError(missing)
    return [by_id[i] for i in dict.fromkeys(ids)]


def page(response, items, ids):
    """(items of this page, next token). Ids and MaxResults exclude each other; a page is 5 to 1000."""
    asked = response._get_param("MaxResults")
    if asked is not None and ids:
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter instancesSet cannot be used with the parameter maxResults",
        )
    if asked is not None and not 5 <= int(asked) <= PAGE_MAX:
        raise AwsError("InvalidParameterValue", f"Value ({asked}) for parameter maxResults is invalid.")
    size = int(asked or PAGE_MAX)
    if S.mode.page_size and not ids:
        size = min(size, S.mode.page_size)
    token = response._get_param("NextToken")
    start = 0
    if token:
        if not token.startswith("page-from-") or not token[10:].isdigit():
            raise AwsError("InvalidParameterValue", f"Unable to parse pagination token {token!r}")
        start = int(token[10:])
    end = start + size
    return items[start:end], (f"page-from-{end}" if end < len(items) else None)


def describe_instances(self):
    self.error_on_dryrun()
    filters = self._filters_from_querystring()
    ids = self._get_param("InstanceIds", [])
    chosen = instances_of(self, ids)
    # Transits are counted before filters look at states, or a filter on `running` would never let a boot finish.
    if not self._get_param("NextToken"):
        static = {k: v for k, v in filters.items() if k not in ("instance-state-name", "instance-state-code")}
        for instance in chosen:
            if passes_filter_dict(instance, static):
                lifecycle.shown(instance)
    chosen, token = page(self, [i for i in chosen if passes_filter_dict(i, filters)], ids)
    wanted = {instance.id for instance in chosen}
    reservations = []
    for reservation in self.ec2_backend.reservations.values():
        shown = [i for i in reservation.instances if i.id in wanted]
        if shown:
            part = copy.copy(reservation)
            part.instances = shown
            reservations.append(part)
    return ActionResult({"Reservations": reservations, "NextToken": token})


def start_instances(self):
    ids = self._get_param("InstanceIds", [])
    chosen = instances_of(self, required(ids))
    self.error_on_dryrun()
    return ActionResult({"StartingInstances": [change(*entry) for entry in lifecycle.start(chosen)]})


def stop_instances(self):
    ids = self._get_param("InstanceIds", [])
    chosen = instances_of(self, required(ids))
    self.error_on_dryrun()
    return ActionResult({"StoppingInstances": [change(*entry) for entry in lifecycle.stop(chosen)]})


def required(ids):
    if not ids:
        raise AwsError("MissingParameter", "The request must contain the parameter InstanceId")
    return ids


def change(instance, previous):
    return {"InstanceId": instance.id, "CurrentState": instance.instance_state, "PreviousState": previous}


def check_of(instance, kind):
    """One of an instance's two status checks, as an InstanceStatusSummary. `kind` is `system` or `instance`."""
    if instance.state != "running":
        return {"Status": "not-applicable"}
    given = S.checks.get(instance.id, {})
    status = given.get(kind)
    if status is None:
        status = "initializing" if S.initializing.get(instance.id, 0) > 0 else "ok"
    words = {"ok": "passed", "impaired": "failed"}
    details = {"Name": "reachability", "Status": words.get(status, status)}
    if status == "impaired":
        details["ImpairedSince"] = given["since"]
    return {"Status": status, "Details": [details]}


STATUS_FILTERS = {
    "availability-zone": lambda i, row: [i.placement.zone],
    "instance-state-name": lambda i, row: [i.state],
    "instance-state-code": lambda i, row: [str(i.state_code)],
    "instance-status.status": lambda i, row: [row["InstanceStatus"]["Status"]],
    "system-status.status": lambda i, row: [row["SystemStatus"]["Status"]],
    "event.code": lambda i, row: [event["Code"] for event in row["Events"]],
    "event.instance-event-id": lambda i, row: [event["InstanceEventId"] for event in row["Events"]],
}


def passes_status(instance, row, filters):
    for name, wanted in filters.items():
        read = STATUS_FILTERS.get(name)
        if read is None:
            raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
        if not set(read(instance, row)) & set(wanted):
            return False
    return True


def status_row(instance):
    row = {
        "InstanceId": instance.id,
        "AvailabilityZone": instance.placement.zone,
        "InstanceState": instance.instance_state,
        "InstanceStatus": check_of(instance, "instance"),
        "SystemStatus": check_of(instance, "system"),
        "Events": [event for _, event in sorted(S.events.get(instance.id, {}).items())],
    }
    if instance.state == "running":
        row["AttachedEbsStatus"] = {
            "Status": "ok",
            "Details": [{"Name": "reachability", "Status": "passed"}],
        }
    return row


def describe_instance_status(self):
    self.error_on_dryrun()
    ids = self._get_param("InstanceIds", [])
    if len(ids) > STATUS_IDS_MAX:
        raise AwsError(
            "InvalidParameterValue", f"At most {STATUS_IDS_MAX} instance ids may be given, not {len(ids)}"
        )
    chosen = instances_of(self, ids)
    if not self._get_bool_param("IncludeAllInstances", False):
        chosen = [instance for instance in chosen if instance.state == "running"]
    filters = self._filters_from_querystring()
    rows = [(instance, status_row(instance)) for instance in chosen]
    rows, token = page(self, [entry for entry in rows if passes_status(*entry, filters)], ids)
    for instance, _ in rows:
        left = S.initializing.get(instance.id, 0)
        if S.mode.auto and left > 0:
            S.initializing[instance.id] = left - 1
    return ActionResult({"InstanceStatuses": [row for _, row in rows], "NextToken": token})


def passes_tags(instance, filters):
    """Filters that are tags; anything else is refused, naming it."""
    for name, wanted in filters.items():
        if not is_tag_filter(name):
            raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
        if not tag_filter_matches(instance, name, wanted):
            return False
    return True
