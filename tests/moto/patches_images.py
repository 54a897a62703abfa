"""Images that die in all the ways that AMIs die, and the one call that tells the ways apart.

DescribeImages tells what can be launched; DescribeInstanceImageMetadata, which moto lacks, tells what became of
the image that an instance was launched from. The second is served from records that outlive the image.
"""

from moto.core.responses import ActionResult
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.responses import EC2Response
from moto.ec2.utils import passes_filter_dict

import lookup
from patches_ec2 import instances_of, page
from state import BadRequest, ImageRecord, S

FOREIGN_OWNER = "999988887777"
METADATA_FILTERS = ("availability-zone", "instance-id", "instance-state-name", "instance-type", "owner-id")

# GiB of an image's root snapshot, and so of the volumes that moto makes for instances: none can be smaller.
ROOT_SIZE = 8

_ami_init = Ami.__init__
_block_device_mappings = Ami.block_device_mappings.fget
_describe_images = EC2Response.describe_images
_deregister_image = AmiBackend.deregister_image


def install():
    Ami.__init__ = ami_init
    Ami.block_device_mappings = property(block_device_mappings)
    AmiBackend.deregister_image = deregister_image
    EC2Response.describe_images = describe_images
    EC2Response.describe_instance_image_metadata = describe_instance_image_metadata


def ami_init(self, *args, **kwargs):
    """moto leaves out the architecture and says root device `standard`; nearly every real image is like this."""
    _ami_init(self, *args, **kwargs)
    self.architecture = self.architecture or "x86_64"
    self.virtualization_type = self.virtualization_type or "hvm"
    self.hypervisor = self.hypervisor or "xen"
    self.root_device_type = "ebs"
    record_of(self)


def block_device_mappings(self):
    """moto says 15 GiB, of type standard, whatever was made from the image; its instances' volumes are 8 GiB and gp2."""
    shown = _block_device_mappings(self)
    for mapping in shown:
        mapping["Ebs"].update(VolumeSize=ROOT_SIZE, VolumeType="gp2")
    return shown


def record_of(ami):
    record = S.images.setdefault(ami.id, ImageRecord())
    record.name = ami.name
    record.owner_id = record.owner_id or ami.owner_id
    record.creation_date = ami.creation_date.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return record


def describe_images(self):
    """Hides what AWS hides: disabled images unless asked for, images of others no longer shared, not allowed ones."""
    result = _describe_images(self)
    wants_disabled = self._get_bool_param("IncludeDisabled", False)
    shown = []
    for ami in result.result["Images"]:
        record = S.images.get(ami.id) or record_of(ami)
        hidden = not record.shared or not record.allowed or (ami.state == "disabled" and not wants_disabled)
        if not hidden:
            ami.owner_id = record.owner_id
            ami.deprecation_time = record.deprecation_time
            ami.image_allowed = record.allowed
            shown.append(ami)
    return ActionResult({"Images": shown})


def metadata_row(instance):
    ami = instance.ec2_backend.amis.get(instance.image_id)
    record = S.images.get(instance.image_id)
    if record is None:
        record = ImageRecord(state="deregistered")
    image = {
        "ImageId": instance.image_id,
        "Name": record.name,
        "OwnerId": record.owner_id,
        "State": ami.state if ami else "deregistered",
        "ImageAllowed": record.allowed,
        "IsPublic": ami.is_public if ami else record.public,
        "CreationDate": record.creation_date,
        "DeprecationTime": record.deprecation_time,
    }
    return {
        "InstanceId": instance.id,
        "InstanceType": instance.instance_type,
        "LaunchTime": instance.launch_time,
        "AvailabilityZone": instance.placement.zone,
        "State": instance.instance_state,
        "OwnerId": instance.owner_id,
        "Tags": instance.get_tags(),
        "ImageMetadata": {key: value for key, value in image.items() if value is not None},
    }


def describe_instance_image_metadata(self):
    self.error_on_dryrun()
    ids = self._get_param("InstanceIds", [])
    filters = self._filters_from_querystring()
    for name in filters:
        if name not in METADATA_FILTERS and not name.startswith("tag:") and name != "tag-key":
            raise NotImplementedError(f"filter '{name}' of DescribeInstanceImageMetadata")
    chosen = [i for i in instances_of(self, ids) if passes_filter_dict(i, filters)]
    chosen, token = page(self, chosen, ids)
    return ActionResult({"InstanceImageMetadata": [metadata_row(i) for i in chosen], "NextToken": token})


def control_ami(body):
    """`/_h/ami`: what becomes of an image. Each action is one of the ends that a rebuild can meet."""
    image, action = body["image"], body["action"]
    backend = lookup.image_backend(image)
    record = S.images.setdefault(image, ImageRecord(state="deregistered"))
    if action == "deregister":
        backend.deregister_image(image)
    elif action == "restore":  # from the Recycle Bin
        if image not in recycle_bin(backend):
            raise BadRequest(f"image {image} is not deregistered")
        backend.amis[image] = recycle_bin(backend).pop(image)
        backend.deleted_amis.remove(image)
    elif action in ("disable", "enable"):
        getattr(backend, f"{action}_image")(image)
    elif action == "private":  # its owner is another account, and takes the permission to launch away
        record.owner_id, record.shared = FOREIGN_OWNER, False
    elif action == "share":
        record.shared = True
    elif action == "deprecate":
        record.deprecation_time = body.get("at", "2026-01-01T00:00:00.000Z")
    elif action in ("disallow", "allow"):
        record.allowed = action == "allow"
    else:
        raise BadRequest(f"unknown action {action!r} for an image")
    return {"image": image, "action": action}


def deregister_image(self, ami_id):
    """moto forgets a deregistered image; the Recycle Bin does not."""
    ami = self.amis.get(ami_id)
    _deregister_image(self, ami_id)
    recycle_bin(self)[ami_id] = ami


def recycle_bin(backend):
    if not hasattr(backend, "launcher_recycle_bin"):
        backend.launcher_recycle_bin = {}
    return backend.launcher_recycle_bin
