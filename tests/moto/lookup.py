"""Finding moto's objects: by id over all accounts and regions, since ids are unique over the whole world."""

from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

from state import BadRequest


def each_ec2():
    """(account, region, EC2 backend) of every one in use."""
    return sorted(ec2_backends.iter_backends(), key=lambda entry: entry[:2])


def each_instance():
    """(account, region, instance) of every one, in order of account, region, age."""
    for account, region, backend in each_ec2():
        for reservation in list(backend.reservations.values()):
            for instance in reservation.instances:
                yield account, region, instance


def instance(instance_id):
    for _, _, found in each_instance():
        if found.id == instance_id:
            return found
    raise BadRequest(f"no instance {instance_id!r} in any account or region")


def image_backend(image_id):
    """The EC2 backend that has, or had, this image."""
    for _, _, backend in each_ec2():
        if image_id in backend.amis or image_id in backend.deleted_amis:
            return backend
    raise BadRequest(f"no image {image_id!r} in any account or region")


def each_target_group():
    """(account, region, target group) of every one, by name."""
    for account, region, backend in sorted(elbv2_backends.iter_backends(), key=lambda entry: entry[:2]):
        for group in sorted(backend.target_groups.values(), key=lambda group: group.name):
            yield account, region, group


def target_group(name_or_arn):
    found = [group for _, _, group in each_target_group() if name_or_arn in (group.name, group.arn)]
    if len(found) != 1:
        raise BadRequest(
            f"{len(found)} target groups are called {name_or_arn!r}; give an ARN if it is ambiguous"
        )
    return found[0]
