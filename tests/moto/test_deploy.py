"""deploy/: the policies allow exactly what the program calls, the template makes exactly these policies, the unit is as
hard as it says, and the runbook knows every word that a person may be shown."""

import json
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from harness import LauncherTest, setUpModule  # noqa: F401

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ROLE = "arn:aws:iam::210987654321:role/keepgreen"
KEY = "arn:aws:kms:eu-west-2:123456789012:key/0d5a"
INSTANCE_ROLE = "arn:aws:iam::123456789012:role/tis-server"
IMAGE_PARAMETER = "arn:aws:ssm:eu-west-2:123456789012:parameter/tis/base-image"
# Everything that a replacement takes, encrypted volumes aside.
REPLACE = ("iam-policy-replace.json", "iam-policy-targets.json")
FILLED = {
    "Region": "eu-west-2",
    "Account": "123456789012",
    "TagKey": "team",
    "TagValue": "tis",
    "PauseParameter": "/keepgreen/pause",
    "ServiceRoleArn": ROLE,
    "VolumeKeyArn": KEY,
    "InstanceRoleArn": INSTANCE_ROLE,
    "ImageParameterArn": IMAGE_PARAMETER,
}


def statements(name):
    """The statements of a shipped policy with every placeholder filled."""
    text = (DEPLOY / name).read_text()
    for placeholder, value in FILLED.items():
        text = text.replace("${" + placeholder + "}", value)
    assert "${" not in text, text
    return json.loads(text)["Statement"]


def canonical(statements):
    return sorted(
        json.dumps(
            {
                key: sorted(listed(value)) if key in ("Action", "Resource") else value
                for key, value in statement.items()
            },
            sort_keys=True,
        )
        for statement in statements
    )


def listed(value):
    return value if isinstance(value, list) else [value]


def actions(*names):
    return sorted(a for name in names for statement in statements(name) for a in listed(statement["Action"]))


class Policies(unittest.TestCase):
    def test_exactly_the_operations_that_the_program_can_call_are_allowed(self):
        source = (ROOT / "src/aws/api.rs").read_text()
        called = set(re.findall(r'Self::\w+ => "(\w+)"', source.partition("pub fn name(")[2].partition("}")[0]))
        self.assertIn("StartInstances", called)
        allowed = actions("iam-policy.json", "iam-policy-operator.json", *REPLACE)
        # Needs no permission anywhere.
        called.discard("GetCallerIdentity")
        # Is no call, but needed for one.
        allowed.remove("iam:PassRole")
        self.assertEqual({action.partition(":")[2] for action in allowed}, called)
        self.assertEqual(actions("iam-policy-roles.json"), ["sts:AssumeRole"])
        self.assertEqual(actions("iam-policy-volumes.json"), ["kms:CreateGrant"])
        self.assertEqual({action.partition(":")[0] for action in actions("iam-policy-replace-volumes.json")}, {"kms"})

    def test_what_changes_something_is_bound_to_the_tag(self):
        bound = {"StringEquals": {"ec2:ResourceTag/team": "tis"}}
        for statement in statements("iam-policy.json"):
            if not all(re.search(":(Describe|Get)", action) for action in listed(statement["Action"])):
                self.assertEqual(statement.get("Condition"), bound, statement)

    def test_what_a_replacement_changes_is_bound_to_the_tag_too(self):
        """What is launched gets it, what is marked, put down, registered and deregistered has it."""
        bound = {}
        for name in REPLACE:
            for statement in statements(name):
                for action in listed(statement["Action"]):
                    if not re.search(":(Describe|Get)", action):
                        bound.setdefault(action, []).append(statement.get("Condition", {}))
        of_object, of_request = {"ec2:ResourceTag/team": "tis"}, {"aws:RequestTag/team": "tis"}
        only_mark = {"ForAllValues:StringEquals": {"aws:TagKeys": ["keepgreen:retired"]}}
        self.assertEqual(bound["ec2:StopInstances"], [{"StringEquals": of_object}])
        self.assertEqual(bound["ec2:TerminateInstances"], [{"StringEquals": of_object}])
        self.assertEqual(
            bound["ec2:CreateTags"],
            [{"StringEquals": {"ec2:CreateAction": "RunInstances"}}, {"StringEquals": of_object, **only_mark}],
        )
        # Beside instances a launch touches what cannot have the tag, or need not.
        self.assertEqual(bound["ec2:RunInstances"], [{"StringEquals": of_request}, {}])
        self.assertEqual(bound["iam:PassRole"], [{"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}])
        for action in ("RegisterTargets", "DeregisterTargets"):
            of_group = {"StringEquals": {"aws:ResourceTag/team": "tis"}}
            self.assertEqual(bound[f"elasticloadbalancing:{action}"], [of_group])
        # What keepgreen launched, and nothing else.
        launched = {"StringLike": {"ec2:ResourceTag/keepgreen:replaces": "i-*"}}
        self.assertEqual(
            bound["ec2:ModifyInstanceAttribute"], [{"StringEquals": of_object, **launched}, launched]
        )
        self.assertEqual(len(bound), 8)


class Template(LauncherTest):
    def stack(self, name, **parameters):
        self.client("cloudformation").create_stack(
            StackName=name,
            TemplateBody=(DEPLOY / "iam.yaml").read_text(),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in {"TagKey": "team", "TagValue": "tis", **parameters}.items()
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        iam = self.client("iam")
        found = []
        for policy in iam.list_role_policies(RoleName="keepgreen")["PolicyNames"]:
            document = iam.get_role_policy(RoleName="keepgreen", PolicyName=policy)["PolicyDocument"]
            # moto keeps a document that was given as a string as a string.
            document = json.loads(document) if isinstance(document, str) else document
            found += document["Statement"]
        return canonical(found)

    def test_the_controllers_role_may_do_what_the_policy_says(self):
        self.assertEqual(self.stack("controller"), canonical(statements("iam-policy.json")))
        iam = self.client("iam")
        [operators] = iam.list_policies(Scope="Local")["Policies"]
        document = iam.get_policy_version(PolicyArn=operators["Arn"], VersionId="v1")["PolicyVersion"]["Document"]
        self.assertEqual(canonical(document["Statement"]), canonical(statements("iam-policy-operator.json")))
        [profile] = iam.list_instance_profiles()["InstanceProfiles"]
        self.assertEqual([role["RoleName"] for role in profile["Roles"]], ["keepgreen"])

    def test_roles_elsewhere_and_encrypted_volumes_are_added_when_asked_for(self):
        expected = [
            statement
            for name in ("iam-policy.json", "iam-policy-roles.json", "iam-policy-volumes.json")
            for statement in statements(name)
        ]
        self.assertEqual(self.stack("controller", ServiceRoles=ROLE, VolumeKeys=KEY), canonical(expected))

    def test_replacements_are_added_when_asked_for_and_roles_and_parameters_only_if_there_are_any(self):
        expected = [s for name in ("iam-policy.json", *REPLACE) for s in statements(name)]
        asked = {"MayRegister": "yes", "MayReplace": "yes"}
        given = {"InstanceRoles": INSTANCE_ROLE, "ImageParameters": IMAGE_PARAMETER}
        self.assertEqual(self.stack("controller", **asked, **given), canonical(expected))
        self.post("reset")
        of_given = ("PassTheInstancesRole", "ReadTheImagesName")
        self.assertEqual(
            self.stack("bare", **asked), canonical([s for s in expected if s["Sid"] not in of_given])
        )
        self.post("reset")
        registering = [s for name in ("iam-policy.json", "iam-policy-targets.json") for s in statements(name)]
        self.assertEqual(self.stack("register", MayRegister="yes"), canonical(registering))
        self.post("reset")
        keys = [
            s
            for name in ("iam-policy-volumes.json", "iam-policy-replace-volumes.json")
            for s in statements(name)
        ]
        self.assertEqual(
            self.stack("keys", **asked, **given, VolumeKeys=KEY), canonical([*expected, *keys])
        )

    def test_in_another_account_the_role_is_the_controllers_alone_and_reads_no_pause_there(self):
        controller = "arn:aws:iam::111122223333:role/keepgreen"
        found = self.stack("services", ControllerRole=controller, ExternalId="tis-4711")
        expected = [s for s in statements("iam-policy.json") if s["Sid"] != "ReadPause"]
        self.assertEqual(found, canonical(expected))
        [trust] = self.client("iam").get_role(RoleName="keepgreen")["Role"]["AssumeRolePolicyDocument"][
            "Statement"
        ]
        self.assertEqual(trust["Principal"], {"AWS": controller})
        self.assertEqual(trust["Condition"], {"StringEquals": {"sts:ExternalId": "tis-4711"}})

    def test_the_policies_are_ones_that_the_launcher_can_enforce(self):
        for names in (["iam-policy.json"], REPLACE):
            found = [statement for name in names for statement in statements(name)]
            self.post("iam", policy={"Version": "2012-10-17", "Statement": found})


class Replacing(LauncherTest):
    """With the shipped policies a replacement can be made of what has the tag, and of nothing else."""

    def setUp(self):
        super().setUp()
        self.world = self.post("world/incident")
        iam = self.client("iam")
        trust = {"Version": "2012-10-17", "Statement": []}
        for name in ("tis-server", "admin"):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
            made = iam.create_instance_profile(InstanceProfileName=name)["InstanceProfile"]
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
            self.profiles = {**getattr(self, "profiles", {}), name: made["Arn"]}
        found = [s for name in ("iam-policy.json", *REPLACE) for s in statements(name)]
        made = self.post("iam", policy={"Version": "2012-10-17", "Statement": found}, enforce=True)
        keys = {"key": made["access_key"], "secret": made["secret_key"]}
        self.ec2, self.elb, self.ssm = (self.client(name, **keys) for name in ("ec2", "elbv2", "ssm"))
        self.setup = self.client("ec2", key=made["setup_access_key"])

    def launch(self, token, tags, profile="tis-server"):
        interface = {
            "DeviceIndex": 0,
            "SubnetId": self.world["subnets"]["a"],
            "Groups": [self.world["security_group"]],
        }
        return {
            "MinCount": 1,
            "MaxCount": 1,
            "ClientToken": token,
            "ImageId": self.world["image"],
            "NetworkInterfaces": [interface],
            "IamInstanceProfile": {"Arn": self.profiles[profile]},
            "TagSpecifications": [
                {"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
                for kind in ("instance", "volume")
            ],
        }

    def test_a_replacement_goes_through_from_the_launch_to_the_mark(self):
        [made] = self.ec2.run_instances(**self.launch("kg-1", {"team": "tis"}))["Instances"]
        self.post("tick")
        group, blue = self.world["target_groups"]["tis-prod"], self.world["blue"]
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": made["InstanceId"], "Port": 8080}])
        self.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": blue, "Port": 8080}])
        self.ec2.stop_instances(InstanceIds=[blue])
        self.ec2.create_tags(Resources=[blue], Tags=[{"Key": "keepgreen:retired", "Value": "now"}])
        self.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])

    def test_nothing_without_the_tag_is_launched_marked_or_put_down_and_no_other_role_is_passed(self):
        refused = self.refused
        refused("UnauthorizedOperation", self.ec2.run_instances, **self.launch("kg-1", {"team": "else"}))
        refused("UnauthorizedOperation", self.ec2.run_instances, **self.launch("kg-2", {"team": "tis"}, "admin"))
        blue = self.world["blue"]
        mark = [{"Key": "team", "Value": "else"}]
        refused("UnauthorizedOperation", self.ec2.create_tags, Resources=[blue], Tags=mark)
        self.setup.create_tags(Resources=[blue], Tags=mark)
        retired = [{"Key": "keepgreen:retired", "Value": "now"}]
        refused("UnauthorizedOperation", self.ec2.create_tags, Resources=[blue], Tags=retired)
        refused("UnauthorizedOperation", self.ec2.stop_instances, InstanceIds=[blue])
        refused("UnauthorizedOperation", self.ec2.terminate_instances, InstanceIds=[blue])
        loose = self.client("elbv2", key="AKIASETUPSETUPSETUPX").create_target_group(
            Name="loose", Protocol="HTTP", Port=80, VpcId=self.world["vpc"]
        )["TargetGroups"][0]["TargetGroupArn"]
        target = [{"Id": blue, "Port": 80}]
        refused("AccessDenied", self.elb.register_targets, TargetGroupArn=loose, Targets=target)
        refused("AccessDenied", self.elb.deregister_targets, TargetGroupArn=loose, Targets=target)
        refused("AccessDeniedException", self.ssm.get_parameters, Names=["/other"])
        self.assertEqual(len(self.states(self.setup)), 2)


class Unit(unittest.TestCase):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed here")
    def test_its_exposure_is_at_most_2(self):
        command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager"]
        run = subprocess.run([*command, DEPLOY / "keepgreen.service"], capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_it_hands_over_every_secret_that_the_sample_config_names(self):
        named = set(re.findall(r"file:/run/credentials/keepgreen.service/([a-z-]+)", (DEPLOY / "config.yaml").read_text()))
        handed = set(re.findall(r"(?m)^LoadCredential=([a-z-]+):", (DEPLOY / "keepgreen.service").read_text()))
        self.assertEqual(named, handed)
        self.assertTrue(named)


class Runbook(unittest.TestCase):
    def assert_known(self, source, enum):
        text = (ROOT / source).read_text()
        body = text.partition(f"pub enum {enum} {{")[2].partition("\n}")[0]
        words = [
            re.sub("(?<!^)(?=[A-Z])", "-", name).lower()
            for name in re.findall(r"(?m)^    ([A-Z]\w*)\s*[,{(]", body)
        ]
        self.assertGreater(len(words), 10)
        runbook = (DEPLOY / "runbook.md").read_text()
        self.assertEqual([word for word in words if f"| `{word}` |" not in runbook], [])

    def test_every_finding_has_its_line(self):
        self.assert_known("src/decide/finding.rs", "FindingKind")

    def test_every_hold_has_its_line(self):
        self.assert_known("src/decide/hold.rs", "HoldReason")

    def test_every_field_of_the_json_is_documented(self):
        named = set(re.findall("`([a-z_]+)`", (DEPLOY / "json.md").read_text()))
        fields = set()
        for source in sorted((ROOT / "src/cli").rglob("*.rs")):
            for body in re.findall(r"(?ms)^(?:pub )?struct \w+Doc \{$(.*?)^\}", source.read_text()):
                # A flattened struct is in the list itself.
                body = re.sub(r"#\[serde\(flatten\)\]\s*pub \w+:", "", body)
                fields |= set(re.findall(r"(?m)^    (?:pub )?(\w+):", body))
        self.assertIn("policy_findings", fields)
        self.assertEqual(sorted(fields - named), [])


if __name__ == "__main__":
    unittest.main()
