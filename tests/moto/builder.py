"""Worlds built in one request: the incident that keepgreen exists for, and fleets of the same shape.

What is built is at peace: instances running, checks ok, targets healthy. A test then takes it apart.
"""

from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

import lifecycle
import lookup
import patches_elb
from state import DEFAULT_ACCOUNT, DEFAULT_REGION, S

SLOTS = ("blue", "green")
ZONES = ("a", "b")


class Builder:
    """Makes objects in one account and region; the network is made once and found again."""

    def __init__(self, body):
        self.account = body.get("account", DEFAULT_ACCOUNT)
        self.region = body.get("region", DEFAULT_REGION)
        self.ec2 = ec2_backends[self.account][self.region]
        self.elb = elbv2_backends[self.account][self.region]
        if not hasattr(self.ec2, "launcher_network"):
            self.ec2.launcher_network = self._network()
        self.network = self.ec2.launcher_network

    def _network(self):
        vpc = self.ec2.create_vpc("10.0.0.0/16")
        subnets = {}
        for index, zone in enumerate(ZONES):
            subnet = self.ec2.create_subnet(
                vpc.id, f"10.0.{index * 64}.0/18", availability_zone=self.region + zone
            )
            subnets[zone] = subnet.id
        group = self.ec2.create_security_group("keepgreen", "the servers", vpc_id=vpc.id)
        return {"vpc": vpc.id, "subnets": subnets, "security_group": group.id}

    def image(self, name):
        return self.ec2.register_image(name, "built by the test world").id

    def instances(self, image, tags, zone="a", instance_type="t3.medium", count=1):
        """Running instances with the given tags, each a reservation of its own as separate launches are."""
        made = []
        for _ in range(count):
            reservation = self.ec2.run_instances(
                image,
                1,
                None,
                [],
                instance_type=instance_type,
                is_instance_type_default=False,
                region_name=self.region,
                subnet_id=self.network["subnets"][zone],
                security_group_ids=[self.network["security_group"]],
                tags={"instance": dict(tags)},
                nics=[],
            )
            instance = reservation.instances[0]
            lifecycle.set_state(instance, "running")
            lifecycle.settle(instance.id)
            made.append(instance)
        return made

    def load_balancer(self, name):
        subnets = list(self.network["subnets"].values())
        balancer = self.elb.create_load_balancer(
            name,
            [self.network["security_group"]],
            subnets,
            scheme="internal",
            loadbalancer_type="application",
        )
        balancer.attrs["load_balancing.cross_zone.enabled"] = "true"
        return balancer

    def target_group(self, name, port, balancer, instances, tags=()):
        """A target group behind a listener of its own, with healthy targets."""
        group = self.elb.create_target_group(
            name,
            vpc_id=self.network["vpc"],
            protocol="HTTP",
            port=str(port),
            target_type="instance",
            healthcheck_path="/health",
        )
        action = {"Type": "forward", "TargetGroupArn": group.arn}
        listener_port = str(20000 + len(balancer.listeners))
        self.elb.create_listener(balancer.arn, "HTTP", listener_port, None, None, [action])
        self.elb.tagging_service.tag_resource(group.arn, [{"Key": k, "Value": v} for k, v in dict(tags).items()])
        group.register([{"Id": instance.id} for instance in instances])
        for instance in instances:
            patches_elb.settle(group, instance.id)
        return group


def incident(body):
    """Blue and green in `tis-prod`; green alone in `tis-upload`. With `strike`: green is stopped, the image gone."""
    builder = Builder(body)
    image = builder.image("tis-base-2024-03-01")
    blue, green = (
        builder.instances(image, {"Name": f"tis-prod-{slot}", "team": "tis"}, zone)[0]
        for slot, zone in zip(SLOTS, ZONES, strict=True)
    )
    balancer = builder.load_balancer("tis")
    prod = builder.target_group("tis-prod", 8080, balancer, [blue, green], {"team": "tis"})
    upload = builder.target_group("tis-upload", 8443, balancer, [green], {"team": "tis"})
    if body.get("strike"):
        lifecycle.set_state(green, "stopped", "Server.ScheduledStop")
        builder.ec2.deregister_image(image)
        S.images[image].state = "deregistered"
    return {
        "account": builder.account,
        "region": builder.region,
        **builder.network,
        "image": image,
        "blue": blue.id,
        "green": green.id,
        "load_balancer": balancer.arn,
        "target_groups": {group.name: group.arn for group in (prod, upload)},
    }


def fleet(body):
    """`services` services of `slots` slots (blue, green, slot3 …) of one instance, each with a target group."""
    builder = Builder(body)
    prefix = body.get("prefix", "svc")
    slots = [SLOTS[i] if i < len(SLOTS) else f"slot{i + 1}" for i in range(int(body.get("slots", 2)))]
    image = builder.image(f"{prefix}-base")
    balancer, services = None, []
    for number in range(int(body["services"])):
        name = f"{prefix}-{number:04d}"
        if number % 50 == 0:  # AWS's limit of listeners
            balancer = builder.load_balancer(f"{prefix}-lb-{number // 50}")
        made = {
            slot: builder.instances(image, {"Name": f"{name}-{slot}"}, ZONES[index % 2])[0]
            for index, slot in enumerate(slots)
        }
        group = builder.target_group(name, 8080, balancer, list(made.values()))
        ids = {slot: instance.id for slot, instance in made.items()}
        services.append({"service": name, "target_group": group.arn, "slots": ids})
    return {"account": builder.account, "region": builder.region, "image": image, "services": services}


def instance(body):
    """Instances with any tags, state and registrations."""
    builder = Builder(body)
    image = body.get("image") or builder.image("extra")
    made = builder.instances(
        image,
        body.get("tags", {}),
        body.get("zone", "a"),
        body.get("instance_type", "t3.medium"),
        int(body.get("count", 1)),
    )
    for entry in body.get("target_groups", []):
        entry = {"name": entry} if isinstance(entry, str) else entry
        group = lookup.target_group(entry["name"])
        for one in made:
            port = {"Port": entry["port"]} if "port" in entry else {}
            group.register([{"Id": one.id, **port}])
            patches_elb.settle(group, one.id)
    if body.get("state", "running") != "running":
        for one in made:
            lifecycle.set_state(one, body["state"], body.get("code", ""), body.get("message", ""))
    return {
        "account": builder.account,
        "region": builder.region,
        "image": image,
        "ids": [one.id for one in made],
    }
