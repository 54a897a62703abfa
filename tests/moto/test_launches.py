"""What a replacement goes through: a launch and its repeats, a boot, registration, draining, a termination, a mark."""

import base64
import unittest

from harness import LauncherTest, setUpModule  # noqa: F401

PROFILE = "tis"


class Launch(LauncherTest):
    def setUp(self):
        super().setUp()
        self.world = self.post("world/incident")
        self.ec2, self.elb = self.client("ec2"), self.client("elbv2")
        self.prod = self.world["target_groups"]["tis-prod"]

    def request(self, **changes):
        """As keepgreen asks for a clone."""
        interface = {
            "DeviceIndex": 0,
            "SubnetId": self.world["subnets"]["a"],
            "Groups": [self.world["security_group"]],
            "AssociatePublicIpAddress": False,
            "DeleteOnTermination": True,
        }
        ebs = {"VolumeSize": 20, "VolumeType": "gp3", "Iops": 4000, "Throughput": 250, "DeleteOnTermination": True}
        tags = [{"Key": "Name", "Value": "tis-prod-blue"}, {"Key": "keepgreen:slot", "Value": "blue"}]
        request = {
            "MinCount": 1,
            "MaxCount": 1,
            "ClientToken": "kg-1",
            "ImageId": self.world["image"],
            "InstanceType": "t3.medium",
            "NetworkInterfaces": [interface],
            "UserData": "echo hello",
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
            "Monitoring": {"Enabled": True},
            "EbsOptimized": True,
            "CreditSpecification": {"CpuCredits": "standard"},
            "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": ebs}],
            "TagSpecifications": [
                {"ResourceType": "instance", "Tags": tags},
                {"ResourceType": "volume", "Tags": tags[1:]},
            ],
        }
        return {**request, **changes}

    def launch(self, **changes):
        [made] = self.ec2.run_instances(**self.request(**changes))["Instances"]
        return made["InstanceId"]

    def shown(self, instance):
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def test_what_was_asked_for_is_what_is_shown(self):
        made = self.launch()
        row = self.shown(made)
        self.assertEqual(row["State"]["Name"], "pending")
        self.assertEqual(self.shown(made)["State"]["Name"], "running")
        self.assertEqual(
            {tag["Key"]: tag["Value"] for tag in row["Tags"]}, {"Name": "tis-prod-blue", "keepgreen:slot": "blue"}
        )
        self.assertEqual(row["MetadataOptions"]["HttpTokens"], "required")
        self.assertEqual(row["MetadataOptions"]["HttpPutResponseHopLimit"], 2)
        self.assertEqual(row["Monitoring"]["State"], "enabled")
        self.assertTrue(row["EbsOptimized"])
        [interface] = row["NetworkInterfaces"]
        self.assertEqual(interface["Attachment"]["DeviceIndex"], 0)
        self.assertEqual([g["GroupId"] for g in interface["Groups"]], [self.world["security_group"]])
        self.assertNotIn("Association", interface)
        [disk] = row["BlockDeviceMappings"]
        self.assertEqual(disk["DeviceName"], row["RootDeviceName"])
        [volume] = self.ec2.describe_volumes(Filters=[{"Name": "volume-id", "Values": [disk["Ebs"]["VolumeId"]]}])[
            "Volumes"
        ]
        self.assertEqual(
            (volume["Size"], volume["VolumeType"], volume["Iops"], volume["Throughput"]), (20, "gp3", 4000, 250)
        )
        self.assertEqual(volume["Tags"], [{"Key": "keepgreen:slot", "Value": "blue"}])
        data = self.ec2.describe_instance_attribute(InstanceId=made, Attribute="userData")["UserData"]["Value"]
        self.assertEqual(base64.b64decode(data), b"echo hello")
        [credits] = self.ec2.describe_instance_credit_specifications(InstanceIds=[made])[
            "InstanceCreditSpecifications"
        ]
        self.assertEqual(credits["CpuCredits"], "standard")

    def test_an_address_that_aws_assigned_is_amazons(self):
        interface = {**self.request()["NetworkInterfaces"][0], "AssociatePublicIpAddress": True}
        row = self.shown(self.launch(NetworkInterfaces=[interface]))
        self.assertEqual(row["NetworkInterfaces"][0]["Association"]["IpOwnerId"], "amazon")

    def test_a_token_launches_once(self):
        made = self.launch()
        self.assertEqual(self.launch(), made)
        self.refused(
            "IdempotentParameterMismatch", self.ec2.run_instances, **self.request(InstanceType="t3.large")
        )
        self.assertEqual(len(self.states(self.ec2)), 3)
        other = self.launch(ClientToken="kg-2")
        self.assertNotEqual(other, made)
        self.ec2.terminate_instances(InstanceIds=[made])
        self.refused("IdempotentInstanceTerminated", self.ec2.run_instances, **self.request())
        # In another zone it is another token.
        elsewhere = {**self.request()["NetworkInterfaces"][0], "SubnetId": self.world["subnets"]["b"]}
        self.launch(NetworkInterfaces=[elsewhere])

    def test_an_image_that_cannot_be_launched_is_refused(self):
        for action, back, code in [
            ("disable", "enable", "InvalidAMIID.Unavailable"),
            ("disallow", "allow", "InvalidAMIID.NotFound"),
            ("private", "share", "InvalidAMIID.NotFound"),
            ("deregister", "restore", "InvalidAMIID.NotFound"),
        ]:
            self.post("ami", image=self.world["image"], action=action)
            self.refused(code, self.ec2.run_instances, **self.request(ClientToken=action))
            self.post("ami", image=self.world["image"], action=back)
            self.launch(ClientToken=action)

    def test_a_launch_may_fail_or_never_serve(self):
        self.post("start_outcome", image=self.world["image"], outcome="falls_back")
        made = self.launch()
        self.post("tick")
        row = self.shown(made)
        self.assertEqual((row["State"]["Name"], row["StateReason"]["Code"]), ("terminated", "Client.InternalError"))
        self.post("start_outcome", image=self.world["image"], outcome="never_healthy")
        made = self.launch(ClientToken="kg-2")
        self.post("tick")
        self.elb.register_targets(TargetGroupArn=self.prod, Targets=[{"Id": made}])
        self.post("tick")
        self.assertEqual(self.health(self.elb, self.prod)[(made, 8080)][0], "unhealthy")

    def test_a_replacement_can_be_played_to_its_end(self):
        old, new = self.world["blue"], self.launch()
        self.refused(
            "InvalidTarget", self.elb.register_targets, TargetGroupArn=self.prod, Targets=[{"Id": new}]
        )
        self.assertEqual([self.states(self.ec2)[new] for _ in range(2)], ["pending", "running"])
        self.elb.register_targets(TargetGroupArn=self.prod, Targets=[{"Id": new, "Port": 8080}])
        seen = [self.health(self.elb, self.prod)[(new, 8080)][0] for _ in range(2)]
        self.assertEqual(seen, ["initial", "healthy"])
        self.elb.deregister_targets(TargetGroupArn=self.prod, Targets=[{"Id": old, "Port": 8080}])
        seen = [self.health(self.elb, self.prod).get((old, 8080), ("gone",))[0] for _ in range(2)]
        self.assertEqual(seen, ["draining", "gone"])
        self.ec2.stop_instances(InstanceIds=[old])
        self.ec2.create_tags(Resources=[old], Tags=[{"Key": "keepgreen:retired", "Value": "now"}])
        self.assertEqual([self.states(self.ec2)[old] for _ in range(2)], ["stopping", "stopped"])
        self.assertIn({"Key": "keepgreen:retired", "Value": "now"}, self.shown(old)["Tags"])

    def test_a_termination_takes_its_time_and_what_goes_with_it(self):
        made = self.launch()
        self.post("tick")
        self.elb.register_targets(TargetGroupArn=self.prod, Targets=[{"Id": made}])
        row = self.ec2.terminate_instances(InstanceIds=[made])["TerminatingInstances"][0]
        self.assertEqual(
            (row["PreviousState"]["Name"], row["CurrentState"]["Name"]), ("running", "shutting-down")
        )
        self.assertEqual(self.health(self.elb, self.prod)[(made, 8080)][0], "unused")
        self.post("tick")
        self.assertEqual(self.shown(made)["State"]["Name"], "terminated")
        self.assertNotIn((made, 8080), self.health(self.elb, self.prod))
        volumes = self.ec2.describe_volumes(Filters=[{"Name": "tag:keepgreen:slot", "Values": ["blue"]}])
        self.assertEqual(volumes["Volumes"], [])
        self.ec2.terminate_instances(InstanceIds=[made])
        self.assertEqual(self.shown(made)["State"]["Name"], "terminated")

    def test_a_protected_instance_is_not_terminated_and_nothing_of_its_batch_is(self):
        made = self.launch()
        self.ec2.modify_instance_attribute(InstanceId=made, DisableApiTermination={"Value": True})
        self.refused(
            "OperationNotPermitted", self.ec2.terminate_instances, InstanceIds=[self.world["green"], made]
        )
        self.assertEqual(self.states(self.ec2)[self.world["green"]], "running")

    def test_what_a_blueprint_is_read_from_is_there(self):
        blue = self.world["blue"]
        for attribute, name, value in [
            ("disableApiTermination", "DisableApiTermination", False),
            ("disableApiStop", "DisableApiStop", False),
            ("instanceInitiatedShutdownBehavior", "InstanceInitiatedShutdownBehavior", "stop"),
        ]:
            answer = self.ec2.describe_instance_attribute(InstanceId=blue, Attribute=attribute)
            self.assertEqual(answer[name], {"Value": value})
        answer = self.ec2.describe_instance_attribute(InstanceId=blue, Attribute="userData")
        self.assertFalse(answer.get("UserData", {}).get("Value"))
        kinds = [{"Name": "instance-type", "Values": ["t3.medium", "t9.huge"]}]
        [kind] = self.ec2.describe_instance_types(Filters=kinds)["InstanceTypes"]
        self.assertTrue(kind["BurstablePerformanceSupported"])
        offerings = self.ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=kinds)
        self.assertIn("eu-west-2a", [o["Location"] for o in offerings["InstanceTypeOfferings"]])
        subnets = [{"Name": "subnet-id", "Values": [self.world["subnets"]["a"]]}]
        self.assertEqual(len(self.ec2.describe_subnets(Filters=subnets)["Subnets"]), 1)
        self.post("credits", instance=blue, credits="standard")
        [credits] = self.ec2.describe_instance_credit_specifications(InstanceIds=[blue])[
            "InstanceCreditSpecifications"
        ]
        self.assertEqual(credits["CpuCredits"], "standard")

    def test_the_root_volume_of_a_server_is_as_large_as_its_images(self):
        [image] = self.ec2.describe_images(Owners=["self"])["Images"]
        [disk] = self.shown(self.world["blue"])["BlockDeviceMappings"]
        [volume] = self.ec2.describe_volumes(VolumeIds=[disk["Ebs"]["VolumeId"]])["Volumes"]
        self.assertEqual(image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"], volume["Size"])
        self.assertEqual((image["RootDeviceName"], volume["VolumeType"]), (disk["DeviceName"], "gp2"))

    def test_target_groups_and_load_balancers_tell_how_they_spread_traffic(self):
        rows = self.elb.describe_target_group_attributes(TargetGroupArn=self.prod)["Attributes"]
        attributes = {row["Key"]: row["Value"] for row in rows}
        self.assertEqual(attributes["load_balancing.cross_zone.enabled"], "use_load_balancer_configuration")
        self.assertEqual(attributes["deregistration_delay.timeout_seconds"], "300")
        [balancer] = self.elb.describe_load_balancers(LoadBalancerArns=[self.world["load_balancer"]])["LoadBalancers"]
        self.assertEqual(balancer["Type"], "application")
        self.assertEqual([z["ZoneName"] for z in balancer["AvailabilityZones"]], ["eu-west-2a", "eu-west-2b"])


if __name__ == "__main__":
    unittest.main()
