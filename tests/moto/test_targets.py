"""Target health, Auto Scaling groups, parameters, identity: the other services that keepgreen reads."""

import unittest

from harness import LauncherTest, setUpModule  # noqa: F401


class TargetHealth(LauncherTest):
    def setUp(self):
        super().setUp()
        self.world = self.post("world/incident")
        self.blue, self.green = self.world["blue"], self.world["green"]
        self.prod = self.world["target_groups"]["tis-prod"]
        self.upload = self.world["target_groups"]["tis-upload"]
        self.ec2, self.elb = self.client("ec2"), self.client("elbv2")

    def green_health(self):
        return self.health(self.elb, self.prod)[(self.green, 8080)]

    def test_the_incidents_groups_are_as_in_production(self):
        groups = self.elb.describe_target_groups(Names=["tis-prod", "tis-upload"])["TargetGroups"]
        self.assertEqual(
            [(g["TargetGroupName"], g["Port"]) for g in groups], [("tis-prod", 8080), ("tis-upload", 8443)]
        )
        self.assertTrue(all(g["LoadBalancerArns"] == [self.world["load_balancer"]] for g in groups))
        healthy = ("healthy", None)
        both = {(self.blue, 8080): healthy, (self.green, 8080): healthy}
        self.assertEqual(self.health(self.elb, self.prod), both)
        self.assertEqual(self.health(self.elb, self.upload), {(self.green, 8443): healthy})
        attributes = self.elb.describe_load_balancer_attributes(LoadBalancerArn=self.world["load_balancer"])
        self.assertIn({"Key": "load_balancing.cross_zone.enabled", "Value": "true"}, attributes["Attributes"])

    def test_a_stopped_instances_target_is_unused_and_comes_back_through_initial(self):
        self.post("stop", instance=self.green)
        self.assertEqual(self.green_health(), ("unused", "Target.InvalidState"))
        self.ec2.start_instances(InstanceIds=[self.green])
        self.assertEqual(self.green_health(), ("unused", "Target.InvalidState"))
        self.post("tick")
        self.assertEqual(self.green_health(), ("initial", "Elb.InitialHealthChecking"))
        self.assertEqual(self.green_health(), ("healthy", None))
        self.assertEqual(self.health(self.elb, self.prod)[(self.blue, 8080)], ("healthy", None))

    def test_initial_lasts_as_many_answers_as_the_mode_says_or_until_a_tick(self):
        self.post("mode", initial_describes=3)
        self.post("stop", instance=self.green)
        self.post("state", instance=self.green, state="running")
        self.assertEqual([self.green_health()[0] for _ in range(4)], ["initial"] * 3 + ["healthy"])
        self.post("mode", auto=False)
        self.post("stop", instance=self.green)
        self.post("state", instance=self.green, state="running")
        self.assertEqual({self.green_health()[0] for _ in range(6)}, {"initial"})
        self.post("tick")
        self.assertEqual(self.green_health()[0], "healthy")

    def test_a_stop_that_nobody_looked_at_still_costs_the_health(self):
        self.post("stop", instance=self.green)
        self.post("state", instance=self.green, state="running")
        self.assertEqual(self.green_health()[0], "initial")

    def test_an_instance_may_run_and_never_become_healthy(self):
        self.post("start_outcome", instance=self.green, outcome="never_healthy")
        self.post("stop", instance=self.green)
        self.ec2.start_instances(InstanceIds=[self.green])
        self.post("tick")
        self.post("tick")
        self.assertEqual(self.states(self.ec2)[self.green], "running")
        self.assertEqual(self.green_health(), ("unhealthy", "Target.FailedHealthChecks"))

    def test_an_override_holds_for_one_port_until_it_is_cleared(self):
        override = {"target_group": "tis-prod", "instance": self.green}
        self.post("target", **override, state="unhealthy", reason="Target.Timeout")
        self.assertEqual(self.green_health(), ("unhealthy", "Target.Timeout"))
        self.assertEqual(self.health(self.elb, self.upload)[(self.green, 8443)][0], "healthy")
        self.post("target", **override, state=None)
        self.assertEqual(self.green_health(), ("healthy", None))
        status, text = self.launcher.request("POST", "target", {**override, "port": 9, "state": "unhealthy"})
        self.assertEqual(status, 400)
        self.assertIn("not registered", text["error"])

    def test_a_target_is_its_id_and_its_port(self):
        self.elb.register_targets(TargetGroupArn=self.prod, Targets=[{"Id": self.green, "Port": 9090}])
        self.assertEqual(self.health(self.elb, self.prod)[(self.green, 9090)][0], "initial")
        self.elb.deregister_targets(TargetGroupArn=self.prod, Targets=[{"Id": self.green, "Port": 8080}])
        self.assertEqual(self.green_health(), ("draining", "Target.DeregistrationInProgress"))
        self.assertEqual(self.health(self.elb, self.prod).keys(), {(self.blue, 8080), (self.green, 9090)})

    def test_a_target_that_was_deregistered_drains_until_a_tick_and_what_is_not_registered_is_no_error(self):
        self.post("mode", auto=False)
        asked = [{"Id": self.green, "Port": 8080}]
        self.elb.deregister_targets(TargetGroupArn=self.prod, Targets=asked)
        self.elb.deregister_targets(TargetGroupArn=self.prod, Targets=[{"Id": self.green, "Port": 9}])
        self.assertEqual({self.green_health()[0] for _ in range(3)}, {"draining"})
        asked = [{"Id": self.green, "Port": 8080}]

        def state():
            rows = self.elb.describe_target_health(TargetGroupArn=self.prod, Targets=asked)
            return rows["TargetHealthDescriptions"][0]["TargetHealth"]["State"]

        self.assertEqual(state(), "draining")
        self.post("tick")
        self.assertEqual(state(), "unused")

    def test_an_instance_that_does_not_run_cannot_be_registered(self):
        self.post("stop", instance=self.green)
        self.refused(
            "InvalidTarget",
            self.elb.register_targets,
            TargetGroupArn=self.upload,
            Targets=[{"Id": self.green}],
        )

    def test_a_group_without_a_load_balancer_is_not_in_use(self):
        group = self.elb.create_target_group(Name="loose", Protocol="HTTP", Port=80, VpcId=self.world["vpc"])
        arn = group["TargetGroups"][0]["TargetGroupArn"]
        self.elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": self.blue}])
        self.assertEqual(self.health(self.elb, arn), {(self.blue, 80): ("unused", "Target.NotInUse")})

    def test_target_groups_are_paged_and_an_unknown_one_is_refused(self):
        self.post("mode", page_size=1)
        pages = list(self.elb.get_paginator("describe_target_groups").paginate())
        self.assertEqual([len(page["TargetGroups"]) for page in pages], [1, 1])
        self.refused("TargetGroupNotFound", self.elb.describe_target_groups, Names=["nope"])


class OtherServices(LauncherTest):
    def test_auto_scaling_groups_are_described_and_unknown_names_dropped(self):
        scaling, ec2 = self.client("autoscaling"), self.client("ec2")
        world = self.post("world/incident")
        ec2.create_launch_template(
            LaunchTemplateName="tis",
            LaunchTemplateData={"ImageId": world["image"], "InstanceType": "t3.medium"},
        )
        scaling.create_auto_scaling_group(
            AutoScalingGroupName="tis",
            LaunchTemplate={"LaunchTemplateName": "tis", "Version": "$Default"},
            MinSize=1,
            MaxSize=2,
            DesiredCapacity=1,
            VPCZoneIdentifier=world["subnets"]["a"],
        )
        groups = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["tis", "nope"])[
            "AutoScalingGroups"
        ]
        self.assertEqual([group["AutoScalingGroupName"] for group in groups], ["tis"])
        self.assertEqual(groups[0]["Instances"][0]["LifecycleState"], "InService")

    def test_parameters_are_put_got_and_deleted(self):
        ssm = self.client("ssm")
        ssm.put_parameter(Name="/keepgreen/pause", Value='{"by": "ada"}', Type="String", Overwrite=True)
        found = ssm.get_parameters(Names=["/keepgreen/pause", "/keepgreen/pause/tis"])
        self.assertEqual([p["Value"] for p in found["Parameters"]], ['{"by": "ada"}'])
        self.assertEqual(found["InvalidParameters"], ["/keepgreen/pause/tis"])
        self.assertEqual(ssm.get_parameter(Name="/keepgreen/pause")["Parameter"]["Value"], '{"by": "ada"}')
        self.assertEqual([p["name"] for p in self.get("world")["parameters"]], ["/keepgreen/pause"])
        ssm.delete_parameter(Name="/keepgreen/pause")
        self.refused("ParameterNotFound", ssm.get_parameter, Name="/keepgreen/pause")
        self.refused("ParameterNotFound", ssm.delete_parameter, Name="/keepgreen/pause")

    def test_an_assumed_role_lives_in_its_own_account(self):
        sts = self.client("sts")
        self.assertEqual(sts.get_caller_identity()["Account"], "123456789012")
        role = "arn:aws:iam::222222222222:role/keepgreen"
        given = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        keys = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        self.assertEqual(self.client("sts", *keys).get_caller_identity()["Account"], "222222222222")
        made = self.post("world/instance", tags={}, account="222222222222")["ids"]
        self.assertEqual(list(self.states(self.client("ec2", *keys))), made)
        self.assertEqual(self.states(self.client("ec2")), {})
        self.assertEqual(self.get("calls")["calls"][-1]["account"], "123456789012")
        self.assertEqual(self.get("calls")["calls"][-2]["account"], "222222222222")

    def test_regions_are_apart(self):
        self.post("world/instance", tags={}, region="eu-west-1")
        self.assertEqual(self.states(self.client("ec2")), {})
        self.assertEqual(len(self.states(self.client("ec2", region="eu-west-1"))), 1)


class Worlds(LauncherTest):
    def test_the_incident_strikes(self):
        world = self.post("world/incident", strike=True)
        seen = self.get("world")
        reasons = {row["id"]: (row["state"], row["reason"]) for row in seen["instances"]}
        self.assertEqual(reasons[world["blue"]], ("running", None))
        self.assertEqual(reasons[world["green"]], ("stopped", "Server.ScheduledStop"))
        metadata = self.client("ec2").describe_instance_image_metadata()["InstanceImageMetadata"]
        self.assertEqual({row["ImageMetadata"]["State"] for row in metadata}, {"deregistered"})

    def test_a_fleet_is_built_at_peace(self):
        fleet = self.post("world/fleet", services=3, slots=3, prefix="app")
        self.assertEqual([s["service"] for s in fleet["services"]], ["app-0000", "app-0001", "app-0002"])
        seen = self.get("world")
        self.assertEqual(len(seen["instances"]), 9)
        self.assertEqual({row["state"] for row in seen["targets"]}, {"healthy"})
        names = [row["tags"]["Name"] for row in seen["instances"]]
        self.assertEqual(names[:3], ["app-0000-blue", "app-0000-green", "app-0000-slot3"])

    def test_further_instances_have_any_tags_state_and_registrations(self):
        world = self.post("world/incident")
        made = self.post(
            "world/instance",
            tags={"a": "b"},
            image=world["image"],
            target_groups=["tis-prod", {"name": "tis-upload", "port": 9443}],
            state="stopped",
            code="Client.UserInitiatedShutdown",
        )
        row = next(row for row in self.get("world")["instances"] if row["id"] == made["ids"][0])
        self.assertEqual((row["state"], row["reason"]), ("stopped", "Client.UserInitiatedShutdown"))
        self.assertEqual(row["tags"], {"a": "b"})
        ports = [row["port"] for row in self.get("world")["targets"] if row["instance"] == made["ids"][0]]
        self.assertEqual(ports, [8080, 9443])

    def test_a_reset_empties_the_world_and_repeats_its_ids(self):
        first = self.post("world/incident")
        self.post("fault", action="*", count=0)
        self.post("mode", page_size=1)
        self.post("reset")
        self.assertEqual(self.get("world"), {"instances": [], "targets": [], "parameters": []})
        self.assertEqual(self.get("fault"), {"faults": []})
        self.assertEqual(self.get("calls"), {"calls": []})
        self.assertEqual(self.post("mode")["page_size"], 0)
        self.assertEqual(self.post("world/incident"), first)
        self.post("reset", seed=2)
        self.assertNotEqual(self.post("world/incident")["blue"], first["blue"])

    def test_the_picture_of_the_world_moves_nothing(self):
        world = self.post("world/incident", strike=True)
        ec2 = self.client("ec2")
        ec2.start_instances(InstanceIds=[world["green"]])
        pictures = [self.get("world") for _ in range(4)]
        self.assertEqual([pictures[0]] * 4, pictures)
        self.assertEqual(self.states(ec2)[world["green"]], "pending")

    def test_a_wrong_control_request_says_what_was_expected(self):
        for route, body, text in (
            ("nope", {}, "no route"),
            ("stop", {}, "'instance'"),
            ("stop", {"instance": "i-1"}, "no instance 'i-1'"),
            ("mode", {"speed": 3}, "unknown setting 'speed'"),
            ("fault", {"kind": "odd"}, "unknown kind 'odd'"),
            ("fault", {"speed": 3}, "speed"),
            ("kill", {"at": 0, "pid": 1, "phase": "after"}, "at must be"),
        ):
            status, answer = self.launcher.request("POST", route, body)
            self.assertIn(status, (400, 404), route)
            self.assertIn(text, answer["error"], route)

    def test_the_help_lists_every_route(self):
        import control

        status, text = self.launcher.request("GET", "")
        self.assertEqual(status, 200)
        for method, route in control.ROUTES:
            self.assertRegex(text, rf"{method} +/_h/{route}\b")


if __name__ == "__main__":
    unittest.main()
