"""boto3's waiters and paginators, which scripts are written with, on a simulated AWS whose time runs fast."""

import unittest

import sides
from case import Aws
from cases_balancing import balancer, group
from differences import AWAITED
from test_cases import Failed, modelled

# A simulated minute takes some tens of milliseconds; a waiter looks every simulated half minute.
SPEED = 3000
LOOKS = {"Delay": 0.01, "MaxAttempts": 500}


class FastSide(sides.SimSide):
    """The simulated AWS, fast: waiting costs nothing, and nothing is moved by hand."""

    def begin(self):
        self.end()
        self.process = sides.SimProcess(self.port, speed=SPEED)
        self.problems = []

    def advance(self, seconds):
        """Time passes by itself."""


class Waiters(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.side = FastSide()
        cls.side.begin()
        cls.addClassCleanup(cls.side.end)
        cls.aws = Aws(cls.side, Failed())

    def wait(self, service, name, **params):
        self.side.client(service).get_waiter(name).wait(WaiterConfig=LOOKS, **params)

    def tearDown(self):
        self.assertEqual(self.side.problems, [])

    def test_a_fleet_is_built_with_waiters_and_taken_down(self):
        missing = AWAITED.keys() - modelled(self.side.control("GET", "operations"))
        if "ec2.RunInstances" in missing:
            self.skipTest(f"awaits ec2.RunInstances: {AWAITED['ec2.RunInstances']}")
        ec2, elb = self.side.client("ec2"), self.side.client("elbv2")
        volume = ec2.create_volume(AvailabilityZone="eu-west-2a", Size=8)["VolumeId"]
        self.wait("ec2", "volume_available", VolumeIds=[volume])
        snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        self.wait("ec2", "snapshot_completed", SnapshotIds=[snapshot])
        disk = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}
        image = ec2.register_image(
            Name="base", Architecture="x86_64", RootDeviceName="/dev/xvda", VirtualizationType="hvm",
            BlockDeviceMappings=[disk],
        )["ImageId"]
        self.wait("ec2", "image_available", ImageIds=[image])
        made = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=2, MaxCount=2)["Instances"]
        ids = [one["InstanceId"] for one in made]
        self.wait("ec2", "instance_exists", InstanceIds=ids)
        self.wait("ec2", "instance_running", InstanceIds=ids)
        self.wait("ec2", "instance_status_ok", InstanceIds=ids)
        self.wait("ec2", "system_status_ok", InstanceIds=ids)
        arn, lb = group(self.aws), balancer(self.aws)
        self.wait("elbv2", "load_balancer_available", LoadBalancerArns=[lb])
        forward = [{"Type": "forward", "TargetGroupArn": arn}]
        elb.create_listener(LoadBalancerArn=lb, Protocol="HTTP", Port=80, DefaultActions=forward)
        targets = [{"Id": one} for one in ids]
        elb.register_targets(TargetGroupArn=arn, Targets=targets)
        self.wait("elbv2", "target_in_service", TargetGroupArn=arn, Targets=targets)
        elb.deregister_targets(TargetGroupArn=arn, Targets=targets[:1])
        self.wait("elbv2", "target_deregistered", TargetGroupArn=arn, Targets=targets[:1])
        ec2.stop_instances(InstanceIds=ids[:1])
        self.wait("ec2", "instance_stopped", InstanceIds=ids[:1])
        ec2.terminate_instances(InstanceIds=ids)
        self.wait("ec2", "instance_terminated", InstanceIds=ids)

    def test_paginators_find_everything_once(self):
        for number in range(7):
            self.side.client("elbv2").create_target_group(
                Name=f"page-{number}", Protocol="HTTP", Port=80, VpcId=self.aws.vpc()
            )
        pages = self.side.client("elbv2").get_paginator("describe_target_groups")
        found = [one["TargetGroupName"] for page in pages.paginate(PaginationConfig={"PageSize": 3}) for one in page["TargetGroups"]]
        self.assertEqual(sorted(name for name in found if name.startswith("page-")), [f"page-{n}" for n in range(7)])


if __name__ == "__main__":
    unittest.main()
