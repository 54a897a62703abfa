"""That the checker of requests sees what is wrong with one, and lets pass what is right."""

import json
import unittest

import check_requests
from asked import Asked

FORM = {"content-type": "application/x-www-form-urlencoded"}
EC2 = "Action={}&Version=2016-11-15"
ELB = "Action={}&Version=2015-12-01"
GROUP = "arn%3Aaws%3Aelasticloadbalancing%3Aeu-west-2%3A123456789012%3Atargetgroup%2Ftis%2F0000000000000001"


def ec2(action, rest=""):
    return Asked("ec2", action, EC2.format(action) + rest, FORM)


def elb(action, rest=""):
    return Asked("elasticloadbalancing", action, ELB.format(action) + rest, FORM)


def ssm(action, body, target="AmazonSSM."):
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target + action}
    return Asked("ssm", action, json.dumps(body), headers)


class Right(unittest.TestCase):
    def passes(self, asked):
        self.assertEqual(asked.problems(), [])

    def test_requests_as_clients_write_them_pass(self):
        self.passes(ec2("DescribeInstances"))
        self.passes(ec2("DescribeInstances", "&InstanceId.1=i-0a&InstanceId.2=i-0b"))
        self.passes(ec2("DescribeInstances", "&Filter.1.Name=tag%3AName&Filter.1.Value.1=a&MaxResults=1000"))
        self.passes(ec2("StartInstances", "&InstanceId.1=i-0a&DryRun=true"))
        self.passes(elb("DescribeTargetHealth", f"&TargetGroupArn={GROUP}&Targets.member.1.Id=i-0a"))
        self.passes(elb("DescribeTargetGroups", "&Names.member.1=tis"))
        self.passes(Asked("sts", "GetCallerIdentity", "Action=GetCallerIdentity&Version=2011-06-15", FORM))
        self.passes(ssm("PutParameter", {"Name": "/a", "Value": "x", "Type": "String", "Overwrite": True}))

    def test_a_line_that_was_written_down_reads_back(self):
        line = {"service": "ec2", "action": "DescribeInstances", "method": "POST", "path": "/", "headers": FORM}
        self.passes(Asked.from_line(json.dumps({**line, "body": EC2.format("DescribeInstances")})))


class Wrong(unittest.TestCase):
    """Each kind of mistake, and the words that name it."""

    def found(self, asked, *words):
        problems = asked.problems()
        self.assertTrue(problems, "nothing was found")
        for word in words:
            self.assertIn(word, "\n".join(problems))

    def test_an_operation_or_a_service_that_does_not_exist(self):
        self.found(ec2("StartInstance"), "StartInstance")
        self.found(Asked("ec3", "StartInstances", "", FORM), "ec3")

    def test_a_member_that_does_not_exist(self):
        self.found(ec2("DescribeInstances", "&InstanceIds.1=i-0a"), "InstanceIds.1", "no such member")
        self.found(ec2("DescribeInstances", "&Filter.1.Name=a&Filter.1.Valeu.1=b"), "Filter.1.Valeu.1")
        self.found(ssm("GetParameters", {"Names": ["/a"], "Decrypt": True}), "Decrypt")

    def test_a_required_member_that_is_missing(self):
        self.found(ec2("StartInstances"), "InstanceId is required")
        self.found(elb("DescribeTargetHealth"), "TargetGroupArn is required")
        self.found(elb("RegisterTargets", f"&TargetGroupArn={GROUP}&Targets.member.1.Port=80"), "Id is required")
        self.found(ssm("PutParameter", {"Name": "/a"}), "Value is required")

    def test_a_list_in_another_protocols_way(self):
        self.found(ec2("StartInstances", "&InstanceId.member.1=i-0a"), "InstanceId is a list")
        self.found(elb("DescribeTargetGroups", "&Names.1=tis"), "Names.1")
        self.found(ec2("StartInstances", "&InstanceId=i-0a"), "InstanceId is a list")
        self.found(ssm("GetParameters", {"Names": "/a"}), "Names is not a list")

    def test_a_list_with_a_gap_or_not_from_one(self):
        self.found(ec2("StartInstances", "&InstanceId.1=i-0a&InstanceId.3=i-0b"), "InstanceId.3")
        self.found(ec2("StartInstances", "&InstanceId.0=i-0a&InstanceId.1=i-0b"), "InstanceId.0")

    def test_a_value_of_another_type(self):
        self.found(ec2("StartInstances", "&InstanceId.1=i-0a&DryRun=yes"), "DryRun", "true nor false")
        self.found(ec2("DescribeInstances", "&MaxResults=many"), "MaxResults", "not an integer")
        self.found(ssm("GetParameters", {"Names": [1]}), "Names.1")
        self.found(ssm("PutParameter", {"Name": "/a", "Value": "x", "Overwrite": "true"}), "Overwrite")
        self.found(ec2("DescribeInstances", "&Filter.1=a"), "Filter.1")

    def test_a_value_outside_its_enum_range_length_or_pattern(self):
        self.found(ssm("PutParameter", {"Name": "/a", "Value": "x", "Type": "Text"}), "'Text' is none of")
        self.found(elb("DescribeTargetGroups", "&PageSize=401"), "more than 400")
        self.found(ssm("GetParameters", {"Names": [f"/{n}" for n in range(11)]}), "11 entries: more than 10")
        self.found(ssm("GetParameters", {"Names": []}), "fewer than 1")
        session = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr"
        self.found(Asked("sts", "AssumeRole", session + "&RoleSessionName=a%20b", FORM), "does not match")

    def test_an_envelope_that_no_client_sends(self):
        self.found(Asked("ec2", "DescribeInstances", "Action=DescribeInstances&Version=2014-01-01", FORM), "Version")
        self.found(Asked("ec2", "DescribeInstances", "Action=DescribeImages&Version=2016-11-15", FORM), "Action")
        self.found(Asked("ec2", "DescribeInstances", EC2.format("DescribeInstances"), {}), "Content-Type")
        self.found(Asked("ec2", "DescribeInstances", EC2.format("DescribeInstances"), FORM, "GET"), "GET")
        self.found(ssm("GetParameters", {"Names": ["/a"]}, target="SSM."), "X-Amz-Target")
        self.found(ec2("StartInstances", "&InstanceId.1=i-0a&InstanceId.1=i-0b"), "twice")

    def test_a_json_null_is_no_value(self):
        self.found(ssm("GetParameter", {"Name": None}), "Name")


class ClosedList(unittest.TestCase):
    """What the check at the end of tests/run rests on."""

    def test_the_programs_list_is_read_from_its_source(self):
        names = check_requests.closed_list(check_requests.CLOSED_LIST.read_text())
        self.assertIn("StartInstances", names)
        with self.assertRaises(ValueError):
            check_requests.closed_list("pub const ALL: [Self; 2] = …; pub fn name(self) { Self::A => \"A\", }")

    def test_an_operation_that_only_others_sent_was_not_seen(self):
        ours = Asked("ec2", "StartInstances", "", {"user-agent": "x app/keepgreen"})
        others = Asked("ec2", "StopInstances", "", {"user-agent": "Boto3/1"})
        self.assertEqual(check_requests.unseen({"StartInstances", "StopInstances"}, [ours, others]), ["StopInstances"])


class Patterns(unittest.TestCase):
    def test_every_pattern_of_the_services_compiles(self):
        import awsmodel

        def walk(shape, above):
            if shape.name in above:
                return
            if pattern := shape.metadata.get("pattern"):
                awsmodel.compiled(pattern)
            inner = shape.members.values() if shape.type_name == "structure" else ()
            inner = (shape.member,) if shape.type_name == "list" else inner
            for one in inner:
                walk(one, above | {shape.name})

        for service in awsmodel.SERVICES:
            model = awsmodel.service_model(service)
            for name in model.operation_names:
                if shape := model.operation_model(name).input_shape:
                    walk(shape, frozenset())


if __name__ == "__main__":
    unittest.main()
