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
FILLED = {
    "Region": "eu-west-2",
    "Account": "123456789012",
    "TagKey": "team",
    "TagValue": "tis",
    "PauseParameter": "/keepgreen/pause",
    "ServiceRoleArn": ROLE,
    "VolumeKeyArn": KEY,
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
        allowed = actions("iam-policy.json", "iam-policy-operator.json")
        # Needs no permission anywhere.
        called.discard("GetCallerIdentity")
        self.assertEqual({action.partition(":")[2] for action in allowed}, called)
        self.assertEqual(actions("iam-policy-roles.json"), ["sts:AssumeRole"])
        self.assertEqual(actions("iam-policy-volumes.json"), ["kms:CreateGrant"])

    def test_what_changes_something_is_bound_to_the_tag(self):
        bound = {"StringEquals": {"ec2:ResourceTag/team": "tis"}}
        for statement in statements("iam-policy.json"):
            if not all(re.search(":(Describe|Get)", action) for action in listed(statement["Action"])):
                self.assertEqual(statement.get("Condition"), bound, statement)


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

    def test_the_policy_is_one_that_the_launcher_can_enforce(self):
        document = {"Version": "2012-10-17", "Statement": statements("iam-policy.json")}
        self.post("iam", policy=document)


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
