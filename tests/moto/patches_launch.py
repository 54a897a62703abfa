"""Launches and terminations as AWS does them: once a token, from images that can be launched, through pending.

moto ignores the client token and the image's state, has its instances run at once, and terminates at once whatever is
protected. Here a launch with a token that was seen gives the same instance again, or says that it was another request or
that what it made is gone; a boot takes its time, or fails; a termination passes through shutting-down.
"""

import copy
import json

from moto.core.responses import ActionResult
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance
from moto.ec2.responses import EC2Response
from moto.elbv2 import elbv2_backends

import lifecycle
import lookup
from patches_ec2 import change, instances_of, required
from state import AwsError, S

_run_instances = EC2Response.run_instances
_terminate = Instance.terminate
_association = NetworkInterface.association.fget


def install():
    EC2Response.run_instances = run_instances
    EC2Response.terminate_instances = terminate_instances
    EC2Response.describe_instance_credit_specifications = describe_instance_credit_specifications
    NetworkInterface.association = property(association)
    lifecycle.goes_with_it.append(gone)


def association(self):
    """moto calls every public address the account's; one that AWS assigned by itself is Amazon's. Without one there is no
    association, where moto shows an empty one."""
    shown = _association(self)
    if shown and "allocationId" not in shown:
        shown["ipOwnerId"] = "amazon"
    return shown or None


def run_instances(self):
    token = self._get_param("ClientToken")
    request = {key: value for key, value in self.data.items() if key not in ("Action", "Version")}
    request = json.dumps(request, sort_keys=True, default=str)
    key = (self.current_account, zone_of(self), token)
    if token and key in S.launches:
        return launched_before(self, *S.launches[key], request)
    check_image(self)
    result = _run_instances(self)
    reservation = result.result
    for instance in reservation.instances:
        begin(self, instance)
    if token:
        S.launches[key] = (request, reservation.id)
    return result


def zone_of(response):
    """A token counts in the zone that the request names, by its subnet or itself; else in the region."""
    nics = response._get_param("NetworkInterfaces", [])
    subnet = response._get_param("SubnetId") or next((n["SubnetId"] for n in nics if "SubnetId" in n), None)
    zone = response._get_param("Placement.AvailabilityZone")
    return response.ec2_backend.get_subnet(subnet).availability_zone if subnet else zone or response.region


def launched_before(response, request, reservation, again):
    if request != again:
        raise AwsError(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        )
    made = response.ec2_backend.reservations[reservation]
    if all(instance.state in ("shutting-down", "terminated") for instance in made.instances):
        raise AwsError(
            "IdempotentInstanceTerminated", "The client token refers to an instance that has been terminated."
        )
    return ActionResult(made)


def check_image(response):
    """An image that is named has to be there, shared, allowed and enabled; one from a template moto takes as it is."""
    image = response._get_param("ImageId")
    if not image:
        return
    ami, record = response.ec2_backend.amis.get(image), S.images.get(image)
    if ami is None or (record and not (record.shared and record.allowed)):
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{image}]' does not exist")
    if ami.state != "available":
        raise AwsError("InvalidAMIID.Unavailable", f"The image id '[{image}]' is no longer available")


def begin(response, instance):
    """What moto leaves out of a launch, and the beginning of the boot."""
    kind = response._get_param("CreditSpecification.CpuCredits")
    if kind:
        S.credits[instance.id] = kind
    for mapping in response._get_param("BlockDeviceMappings", []):
        device = instance.block_device_mapping.get(mapping.get("DeviceName"))
        if device is not None:
            volume = instance.ec2_backend.get_volume(device.volume_id)
            for name, attribute in (("Iops", "iops"), ("Throughput", "throughput")):
                if name in mapping.get("Ebs", {}):
                    setattr(volume, attribute, int(mapping["Ebs"][name]))
    outcome = S.launch_outcomes.get(instance.image_id)
    if outcome:
        S.start_outcomes[instance.id] = dict(outcome)
    S.launching.add(instance.id)
    lifecycle.set_state(instance, "pending")


def terminate_instances(self):
    """All of them or none. The state is shutting-down until the world moves on; what is terminated stays so."""
    ids = self._get_param("InstanceIds", [])
    chosen = instances_of(self, required(ids))
    self.error_on_dryrun()
    for instance in chosen:
        if instance.disable_api_termination:
            raise AwsError(
                "OperationNotPermitted",
                f"The instance '{instance.id}' may not be terminated. "
                "Modify its 'disableApiTermination' instance attribute and try again.",
            )
    rows = []
    for instance in chosen:
        rows.append((instance, copy.copy(instance._state)))
        if instance.state not in ("shutting-down", "terminated"):
            lifecycle.set_state(instance, "shutting-down", "Client.UserInitiatedShutdown")
    return ActionResult({"TerminatingInstances": [change(*row) for row in rows]})


def gone(instance):
    """The end of shutting-down: its volumes and interfaces go as they are set to, and its targets with it."""
    _terminate(instance)
    backend = elbv2_backends[instance.owner_id][instance.ec2_backend.region_name]
    backend.notify_terminate_instances([instance.id])


def describe_instance_credit_specifications(self):
    """moto says `standard` of every instance. Only burstable ones have an option, and others fail the call."""
    ids = self._get_param("InstanceIds", [])
    chosen = instances_of(self, ids)
    for instance in chosen:
        if ids and not is_burstable(instance):
            raise AwsError(
                "InvalidParameterValue", f"The instance {instance.id} is not of a burstable instance type."
            )
    rows = [
        {"InstanceId": i.id, "CpuCredits": S.credits.get(i.id, usual_credits(i))}
        for i in chosen
        if is_burstable(i)
    ]
    return ActionResult({"InstanceCreditSpecifications": rows})


def is_burstable(instance):
    return instance.instance_type.partition(".")[0] in ("t2", "t3", "t3a", "t4g")


def usual_credits(instance):
    return "standard" if instance.instance_type.startswith("t2.") else "unlimited"


def control_credits(body):
    """`/_h/credits`: the CPU credits of an instance, as ModifyInstanceCreditSpecification would set them."""
    instance = lookup.instance(body["instance"])
    S.credits[instance.id] = body["credits"]
    return {"instance": instance.id, "credits": body["credits"]}
