"""Faults, kills, records, policies: what the launcher does to a caller, and what it can say about it afterwards."""

import json
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from harness import HERE, Launcher, LauncherTest, setUpModule  # noqa: F401


class Faults(LauncherTest):
    def setUp(self):
        super().setUp()
        self.world = self.post("world/incident", strike=True)
        self.green = self.world["green"]
        self.ec2, self.elb = self.client("ec2"), self.client("elbv2")

    def start(self):
        return self.ec2.start_instances(InstanceIds=[self.green])

    def green_state(self):
        return next(row["state"] for row in self.get("world")["instances"] if row["id"] == self.green)

    def test_an_error_before_the_effect_leaves_the_world_alone(self):
        self.post(
            "fault", action="StartInstances", status=503, code="RequestLimitExceeded", message="slow down"
        )
        status, text = self.refused("RequestLimitExceeded", self.start)
        self.assertEqual((status, text), (503, "slow down"))
        self.assertEqual(self.green_state(), "stopped")
        self.start()
        self.assertEqual(self.get("fault")["faults"][0]["hits"], 1)

    def test_an_error_after_the_effect_hides_it(self):
        self.post("fault", action="StartInstances", phase="after")
        status, _ = self.refused("InternalError", self.start)
        self.assertEqual(status, 500)
        self.assertEqual(self.green_state(), "pending")

    def test_errors_come_in_the_protocol_of_their_service(self):
        self.post("fault", action="*", status=400, code="Throttling", count=0)
        calls = [
            self.ec2.describe_instances,
            self.elb.describe_target_groups,
            self.client("autoscaling").describe_auto_scaling_groups,
            self.client("sts").get_caller_identity,
            lambda: self.client("ssm").get_parameters(Names=["a"]),
        ]
        for call in calls:
            self.assertEqual(self.refused("Throttling", call)[0], 400)

    def test_a_dropped_call_has_or_has_not_had_its_effect(self):
        for phase, state in (("before", "stopped"), ("after", "pending")):
            self.post("fault", action="StartInstances", kind="drop", phase=phase)
            with self.assertRaises(ConnectionClosedError):
                self.start()
            self.assertEqual(self.green_state(), state)
        outcomes = [(c["outcome"], c["effect_time"] is not None) for c in self.get("calls")["calls"]]
        self.assertEqual(outcomes, [("dropped", False), ("dropped", True)])

    def test_a_hanging_call_holds_up_nobody_else(self):
        self.post("fault", action="StartInstances", kind="hang", phase="after")
        impatient = self.client("ec2", read_timeout=1)
        with self.assertRaises(ReadTimeoutError):
            impatient.start_instances(InstanceIds=[self.green])
        self.assertEqual(self.green_state(), "pending")

    def test_clearing_the_faults_frees_who_hangs_on_one(self):
        self.post("fault", action="DescribeInstances", kind="hang")
        caught = []

        def hang():
            try:
                self.ec2.describe_instances()
            except ConnectionClosedError as err:
                caught.append(err)

        thread = threading.Thread(target=hang)
        thread.start()
        while not self.get("fault")["faults"][0]["hits"]:
            pass
        self.states(self.client("ec2"))
        self.delete("fault")
        thread.join(20)
        self.assertEqual(len(caught), 1)

    def test_a_delay_alone_answers_as_ever(self):
        self.post("fault", action="DescribeInstances", delay_s=0.05)
        self.assertEqual(len(self.states(self.ec2)), 2)
        self.assertEqual(self.get("fault")["faults"][0]["hits"], 1)

    def test_an_empty_answer_is_whole_and_has_nothing_in_it(self):
        self.client("ssm").put_parameter(Name="a", Value="b", Type="String")
        group = self.world["target_groups"]["tis-prod"]
        for action, call, key in (
            ("DescribeInstances", self.ec2.describe_instances, "Reservations"),
            ("DescribeInstanceStatus", self.ec2.describe_instance_status, "InstanceStatuses"),
            (
                "DescribeInstanceImageMetadata",
                self.ec2.describe_instance_image_metadata,
                "InstanceImageMetadata",
            ),
            ("DescribeTargetGroups", self.elb.describe_target_groups, "TargetGroups"),
            (
                "DescribeTargetHealth",
                lambda: self.elb.describe_target_health(TargetGroupArn=group),
                "TargetHealthDescriptions",
            ),
            ("GetParameters", lambda: self.client("ssm").get_parameters(Names=["a"]), "Parameters"),
        ):
            with self.subTest(action):
                self.assertTrue(call()[key])
                self.post("fault", action=action, kind="empty")
                self.assertEqual(call()[key], [])
                self.assertTrue(call()[key])

    def test_the_second_page_of_a_listing_fails(self):
        self.post("mode", page_size=1)
        for action, call, token in (
            ("DescribeInstances", self.ec2.describe_instances, "NextToken"),
            ("DescribeInstanceImageMetadata", self.ec2.describe_instance_image_metadata, "NextToken"),
            ("DescribeTargetGroups", self.elb.describe_target_groups, "NextMarker"),
        ):
            with self.subTest(action):
                self.post("fault", action=action, kind="page_fail", code="InternalError")
                given = call()[token]
                self.refused(
                    "InternalError",
                    call,
                    **{token.removeprefix("Next") if "Marker" in token else token: given},
                )
                self.assertIn(token, call())
        pages = [c["page"] for c in self.get("calls")["calls"] if c["action"] == "DescribeInstances"]
        self.assertEqual(pages, [1, 2, 1])

    def test_an_unknown_enum_member_appears_everywhere_or_for_one_instance(self):
        def instance_states():
            return self.states(self.ec2)

        self.post("fault", action="DescribeInstances", kind="unknown_enum")
        self.assertEqual(set(instance_states().values()), {"rebuilding"})
        self.post("fault", action="DescribeInstances", kind="unknown_enum", instance=self.green)
        self.assertEqual(instance_states(), {self.world["blue"]: "running", self.green: "rebuilding"})
        self.assertEqual(instance_states()[self.green], "stopped")
        group = self.world["target_groups"]["tis-prod"]
        self.post("fault", action="DescribeTargetHealth", kind="unknown_enum", instance=self.green)
        states = {key[0]: value[0] for key, value in self.health(self.elb, group).items()}
        self.assertEqual(states, {self.world["blue"]: "healthy", self.green: "rebuilding"})
        self.post("fault", action="DescribeInstanceImageMetadata", kind="unknown_enum")
        rows = self.ec2.describe_instance_image_metadata()["InstanceImageMetadata"]
        self.assertEqual({row["ImageMetadata"]["State"] for row in rows}, {"rebuilding"})
        self.post("fault", action="DescribeInstanceStatus", kind="unknown_enum")
        rows = self.ec2.describe_instance_status()["InstanceStatuses"]
        self.assertEqual({row["SystemStatus"]["Status"] for row in rows}, {"rebuilding"})
        self.post("fault", action="GetParameters", kind="unknown_enum")
        self.assertEqual(self.client("ssm").get_parameters(Names=["a"])["InvalidParameters"], ["a"])

    def test_a_fault_meets_only_the_calls_that_it_names(self):
        blue = self.world["blue"]
        self.post("fault", action="DescribeInstanceStatus", match=blue, count=0)
        self.ec2.describe_instance_status(InstanceIds=[self.green], IncludeAllInstances=True)
        self.refused("InternalError", self.ec2.describe_instance_status, InstanceIds=[blue])
        self.delete("fault")
        self.post("fault", action="DescribeInstances", region="eu-west-1")
        self.ec2.describe_instances()
        self.refused("InternalError", self.client("ec2", region="eu-west-1").describe_instances)
        self.post("fault", action="*", service="elasticloadbalancing", account="123456789012", skip=1)
        self.ec2.describe_instances()
        self.elb.describe_target_groups()
        self.refused("InternalError", self.elb.describe_target_groups)


VICTIM = """
import sys, time, boto3
ec2 = boto3.client("ec2", endpoint_url=sys.argv[1], region_name="eu-west-2", aws_access_key_id="AKIAEXAMPLEEXAMPLE00",
                   aws_secret_access_key="x")
ec2.describe_instances()
ec2.start_instances(InstanceIds=[sys.argv[2]])
ec2.describe_instances()
print("survived")
"""


class Kills(LauncherTest):
    def setUp(self):
        super().setUp()
        self.green = self.post("world/incident", strike=True)["green"]

    def run_victim(self, **kill):
        """Starts a process that looks, starts green, looks again; returns (exit code, output)."""
        with tempfile.TemporaryDirectory() as folder:
            pid_file = Path(folder, "pid")
            self.post("kill", pid_file=str(pid_file), **kill)
            command = [sys.executable, "-c", VICTIM, self.launcher.url, self.green]
            victim = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            pid_file.write_text(str(victim.pid))
            output, _ = victim.communicate(timeout=30)
            return victim.returncode, output

    def green_state(self):
        return next(row["state"] for row in self.get("world")["instances"] if row["id"] == self.green)

    def test_killed_at_receipt_the_call_has_no_effect(self):
        code, output = self.run_victim(at=2, phase="receipt")
        self.assertEqual((code, output), (-signal.SIGKILL, ""))
        self.assertEqual(self.green_state(), "stopped")
        kill = self.get("kill")["kill"]
        self.assertEqual((kill["fired"], kill["at_seq"], kill["at_action"]), (True, 2, "StartInstances"))
        self.assertIsNone(kill["error"])
        calls = self.get("calls")["calls"]
        self.assertEqual([c["outcome"] for c in calls], ["answered", "killed"])

    def test_killed_after_the_effect_the_answer_is_never_read(self):
        code, output = self.run_victim(at={"action": "StartInstances", "n": 1}, phase="after")
        self.assertEqual((code, output), (-signal.SIGKILL, ""))
        self.assertEqual(self.green_state(), "pending")
        last = self.get("calls")["calls"][-1]
        self.assertEqual((last["action"], last["outcome"]), ("StartInstances", "killed"))
        self.assertIsNotNone(last["effect_time"])

    def test_a_kill_beyond_the_last_call_does_not_fire(self):
        code, output = self.run_victim(at=4, phase="receipt")
        self.assertEqual((code, output), (0, "survived\n"))
        kill = self.get("kill")["kill"]
        self.assertEqual((kill["fired"], kill["seen"]), (False, 3))
        self.assertIsNone(self.delete("kill")["kill"])

    def test_a_process_that_cannot_be_killed_is_reported(self):
        self.post("kill", pid_file="/nowhere", at=1, phase="receipt")
        with self.assertRaises(ConnectionClosedError):
            self.client("sts").get_caller_identity()
        self.assertIn("/nowhere", self.get("kill")["kill"]["error"])


class Records(LauncherTest):
    def test_calls_are_recorded_with_parameters_status_and_effect(self):
        ec2 = self.client("ec2")
        ec2.describe_instances(Filters=[{"Name": "tag:team", "Values": ["tis"]}])
        self.refused("InvalidInstanceID.NotFound", ec2.start_instances, InstanceIds=["i-0123456789abcdef0"])
        self.client("ssm").get_parameters(Names=["b", "a"])
        first, second, third = self.get("calls")["calls"]
        self.assertEqual((first["seq"], first["service"], first["action"]), (1, "ec2", "DescribeInstances"))
        self.assertEqual(first["params"], {"Filter.1.Name": "tag:team", "Filter.1.Value.1": "tis"})
        self.assertEqual((first["status"], first["error"], first["outcome"]), (200, None, "answered"))
        self.assertEqual((first["access_key"], first["account"]), ("AKIAEXAMPLEEXAMPLE00", "123456789012"))
        self.assertLess(first["effect_time"], second["effect_time"])
        self.assertEqual((second["status"], second["error"]), (400, "InvalidInstanceID.NotFound"))
        self.assertEqual((third["service"], third["params"]["Names"]), ("ssm", ["b", "a"]))
        self.delete("calls")
        answer = ec2.describe_instances()
        (call,) = self.get("calls")["calls"]
        self.assertEqual(call["seq"], 1)
        self.assertEqual(answer["ResponseMetadata"]["RequestId"], call["request_id"])

    def deliver(self, name, body=b"{}"):
        request = Request(f"{self.launcher.url}/_h/hook/{name}", body, {"X-Probe": "yes"}, method="POST")
        try:
            with urlopen(request, timeout=5) as answer:
                return answer.status
        except HTTPError as err:
            return err.code

    def test_the_webhook_receiver_records_and_misbehaves(self):
        self.assertEqual(self.deliver("slack", b'{"text": "hello"}'), 200)
        (seen,) = self.get("hook")["hooks"]
        self.assertEqual((seen["name"], seen["method"]), ("slack", "POST"))
        self.assertEqual(json.loads(seen["body"]), {"text": "hello"})
        self.assertEqual(seen["headers"]["x-probe"], "yes")
        self.post("hook", name="slack", mode="error")
        self.assertEqual((self.deliver("slack"), self.deliver("plain")), (500, 200))
        self.post("hook", name="slack", mode="redirect")
        self.deliver("slack")
        self.assertEqual(self.get("hook")["hooks"][-1]["name"], "redirected")
        self.post("hook", name="slack", mode="hang")
        with self.assertRaises(TimeoutError):
            urlopen(Request(f"{self.launcher.url}/_h/hook/slack", b"", method="POST"), timeout=0.2)
        self.delete("hook")
        self.assertEqual(self.get("hook")["hooks"], [])


def allow(*actions, resource="*", **condition):
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


class Policies(LauncherTest):
    def setUp(self):
        super().setUp()
        self.world = self.post("world/incident", strike=True)

    def enforced(self, policy, **more):
        made = self.post("iam", policy=policy, enforce=True, **more)
        return made, lambda service: self.client(service, made["access_key"], made["secret_key"])

    def test_what_the_policy_does_not_name_is_refused(self):
        made, client = self.enforced(allow("ec2:Describe*", "elasticloadbalancing:DescribeTargetGroups"))
        client("ec2").describe_instances()
        client("elbv2").describe_target_groups()
        status, text = self.refused(
            "UnauthorizedOperation", client("ec2").start_instances, InstanceIds=[self.world["green"]]
        )
        self.assertEqual(status, 403)
        self.assertIn("ec2:StartInstances", text)
        self.refused("AccessDenied", client("autoscaling").describe_auto_scaling_groups)
        self.refused("AccessDeniedException", client("ssm").get_parameters, Names=["/keepgreen/pause"])
        self.assertEqual(client("sts").get_caller_identity()["Arn"], made["arn"])
        self.assertEqual(self.get("world")["instances"][1]["state"], "stopped")

    def test_unknown_keys_may_nothing_and_the_setup_key_everything(self):
        made, _ = self.enforced(allow("ec2:DescribeInstances"))
        self.refused("AuthFailure", self.client("ec2").describe_instances)
        self.refused("InvalidClientTokenId", self.client("elbv2").describe_target_groups)
        setup = self.client("ec2", made["setup_access_key"], made["setup_secret_key"])
        setup.start_instances(InstanceIds=[self.world["green"]])
        self.post("iam", enforce=False)
        self.client("ec2").describe_instances()

    def test_resources_and_tag_conditions_are_enforced(self):
        instances = "arn:aws:ec2:eu-west-2:123456789012:instance/*"
        tagged = {"StringEquals": {"aws:ResourceTag/team": "tis"}}
        _, client = self.enforced(allow("ec2:StartInstances", resource=instances, **tagged))
        stranger = self.post("world/instance", tags={"team": "other"}, state="stopped")["ids"][0]
        bare = self.post("world/instance", tags={}, state="stopped")["ids"][0]
        for other in (stranger, bare):
            ids = [self.world["green"], other]
            self.refused("UnauthorizedOperation", client("ec2").start_instances, InstanceIds=ids)
        client("ec2").start_instances(InstanceIds=[self.world["green"]])
        _, client = self.enforced(allow("ec2:DescribeInstances", resource=instances))
        self.refused("UnauthorizedOperation", client("ec2").describe_instances)
        parameter = "arn:aws:ssm:eu-west-2:123456789012:parameter/keepgreen/pause*"
        _, client = self.enforced(allow("ssm:GetParameters", resource=parameter))
        client("ssm").get_parameters(Names=["/keepgreen/pause", "/keepgreen/pause/tis"])
        self.refused(
            "AccessDeniedException", client("ssm").get_parameters, Names=["/keepgreen/pause", "/other"]
        )

    def test_a_role_may_do_what_its_own_policy_says(self):
        arn = "arn:aws:iam::222222222222:role/keepgreen"
        role = {"name": "keepgreen", "account": "222222222222", "policy": allow("ec2:DescribeInstances")}
        made, client = self.enforced(allow("sts:AssumeRole", resource=arn), role=role)
        self.assertEqual(made["role_arn"], arn)
        given = client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        ec2 = self.client("ec2", given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        ec2.describe_instances()
        self.refused("UnauthorizedOperation", ec2.describe_instance_status)
        other = "arn:aws:iam::222222222222:role/other"
        self.refused("AccessDenied", client("sts").assume_role, RoleArn=other, RoleSessionName="test")

    def test_a_deny_wins_and_what_is_not_understood_is_refused(self):
        policy = allow("ec2:*")
        policy["Statement"].append({"Effect": "Deny", "Action": "ec2:DescribeInstances", "Resource": "*"})
        _, client = self.enforced(policy)
        client("ec2").describe_instance_status()
        self.refused("UnauthorizedOperation", client("ec2").describe_instances)
        odd = allow("ec2:*", NumericLessThan={"aws:MultiFactorAuthAge": "1"})
        status, answer = self.launcher.request("POST", "iam", {"policy": odd})
        self.assertEqual(status, 400)
        self.assertIn("NumericLessThan", answer["error"])


class Process(unittest.TestCase):
    def test_it_ends_with_its_standard_input(self):
        launcher = Launcher()
        launcher.process.stdin.close()
        self.assertEqual(launcher.process.wait(20), 0)
        launcher.process.stdout.close()

    def test_it_ends_on_sigterm_and_tells_a_file_when_it_is_ready(self):
        with tempfile.TemporaryDirectory() as folder:
            ready = Path(folder, "ready")
            launcher = Launcher("--ready-file", str(ready))
            self.assertEqual(ready.read_text(), f"listening on {launcher.url.removeprefix('http://')}\n")
            launcher.process.terminate()
            self.assertEqual(launcher.process.wait(20), 0)
            launcher.close()

    def test_no_file_of_it_is_long(self):
        for path in HERE.glob("*.py"):
            self.assertLess(len(path.read_text().splitlines()), 400, path.name)


if __name__ == "__main__":
    unittest.main()
