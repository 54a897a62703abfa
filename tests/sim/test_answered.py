"""That the checker of answers sees what is wrong with one: each test breaks one right answer in one place."""

import json
import unittest

import answered

ID = "00000000-0000-4000-8000-000000000001"
XML = {"content-type": "text/xml;charset=UTF-8", "x-amzn-requestid": ID}
JSON = {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": ID}

STATUS = f"""<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstanceStatusResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>{ID}</requestId>\
<instanceStatusSet><item><instanceId>i-0a</instanceId><availabilityZone>eu-west-2a</availabilityZone>\
<eventsSet><item><instanceEventId>e-1</instanceEventId><code>instance-stop</code><description>d</description>\
<notBefore>2026-11-22T04:00:00.000Z</notBefore></item></eventsSet>\
<instanceState><code>16</code><name>running</name></instanceState><systemStatus><status>ok</status></systemStatus>\
<instanceStatus><status>ok</status></instanceStatus></item></instanceStatusSet></DescribeInstanceStatusResponse>"""

HEALTH = f"""<?xml version="1.0" encoding="UTF-8"?>
<DescribeTargetHealthResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">\
<DescribeTargetHealthResult><TargetHealthDescriptions><member><Target><Id>i-0a</Id><Port>80</Port></Target>\
<TargetHealth><State>unused</State><Reason>Target.NotInUse</Reason></TargetHealth></member>\
</TargetHealthDescriptions></DescribeTargetHealthResult><ResponseMetadata><RequestId>{ID}</RequestId>\
</ResponseMetadata></DescribeTargetHealthResponse>"""

TAGGED = f"""<?xml version="1.0" encoding="UTF-8"?>
<CreateTagsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>{ID}</requestId>\
<return>true</return></CreateTagsResponse>"""

PARAMETER = {
    "Parameter": {
        "Name": "/a", "Type": "String", "Value": "x", "Version": 1, "LastModifiedDate": 1.5, "ARN": "arn:aws:ssm",
        "DataType": "text",
    }
}

REFUSED = f"""<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>IncorrectInstanceState</Code><Message>m</Message></Error></Errors>\
<RequestID>{ID}</RequestID></Response>"""

REFUSED_ELB = f"""<?xml version="1.0" encoding="UTF-8"?>
<ErrorResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"><Error><Type>Sender</Type>\
<Code>TargetGroupNotFound</Code><Message>m</Message></Error><RequestId>{ID}</RequestId></ErrorResponse>"""


def status_of(text, status=200):
    return answered.problems("ec2", "DescribeInstanceStatus", status, XML, text.encode())


def health_of(text, status=200):
    return answered.problems("elasticloadbalancing", "DescribeTargetHealth", status, XML, text.encode())


def parameter_of(value, status=200):
    return answered.problems("ssm", "GetParameter", status, JSON, json.dumps(value).encode())


class Right(unittest.TestCase):
    def test_right_answers_and_errors_pass(self):
        self.assertEqual(status_of(STATUS), [])
        self.assertEqual(health_of(HEALTH), [])
        self.assertEqual(answered.problems("ec2", "CreateTags", 200, XML, TAGGED.encode()), [])
        self.assertEqual(parameter_of(PARAMETER), [])
        self.assertEqual(status_of(REFUSED, 400), [])
        self.assertEqual(health_of(REFUSED_ELB, 400), [])
        self.assertEqual(parameter_of({"__type": "ParameterNotFound", "message": "m"}, 400), [])


class Wrong(unittest.TestCase):
    def sees(self, check, text, old, new, word, *status):
        self.assertIn(old, text, "the test breaks nothing")
        found = check(text.replace(old, new), *status)
        self.assertTrue(found, f"not seen: {old} -> {new}")
        self.assertIn(word, "\n".join(found))

    def test_a_misspelt_element(self):
        self.sees(status_of, STATUS, "systemStatus>", "systemstatus>", "no such element")
        self.sees(health_of, HEALTH, "Reason>", "ReasonCode>", "no such element")

    def test_a_member_missing_that_aws_always_sends(self):
        self.sees(status_of, STATUS, "<name>running</name>", "", "Name of InstanceState is missing")
        self.sees(health_of, HEALTH, "<State>unused</State>", "", "State of TargetHealth is missing")

    def test_a_value_outside_its_enum_or_of_another_type(self):
        self.sees(status_of, STATUS, ">running<", ">up<", "'up' is none of")
        self.sees(status_of, STATUS, ">16<", ">sixteen<", "not an integer")
        self.sees(health_of, HEALTH, ">unused<", ">UNUSED<", "is none of")
        self.sees(status_of, STATUS, "04:00:00.000Z", "04:00:00 GMT", "not a time")
        self.sees(status_of, STATUS, "11-22T", "13-22T", "not a time")

    def test_a_list_in_another_protocols_way(self):
        self.sees(status_of, STATUS, "item>", "member>", "not a item")
        self.sees(health_of, HEALTH, "member>", "item>", "not a member")

    def test_an_element_that_is_there_twice_and_text_where_elements_belong(self):
        state = "<instanceId>i-0a</instanceId>"
        self.sees(status_of, STATUS, state, state + state, "there twice")
        self.sees(status_of, STATUS, "<status>ok</status>", "ok", "holds the text")
        self.sees(status_of, STATUS, "<name>running</name>", "<name><a/></name>", "holds elements")

    def test_a_wrong_root_namespace_wrapper_or_request_id(self):
        self.sees(status_of, STATUS, "DescribeInstanceStatusResponse", "DescribeInstanceStatusResult", "root")
        self.sees(status_of, STATUS, "2016-11-15", "2014-10-01", "namespace")
        self.sees(health_of, HEALTH, "DescribeTargetHealthResult", "Result", "is there 0 times")
        self.sees(status_of, STATUS, ID, ID.replace("1", "2"), "requestId")
        self.sees(health_of, HEALTH, ID, ID.replace("1", "2"), "RequestId")

    def test_a_result_where_there_is_none(self):
        broken = TAGGED.replace("<return>true</return>", "<tagSet/>")
        self.assertTrue(answered.problems("ec2", "CreateTags", 200, XML, broken.encode()))

    def test_json_of_another_shape(self):
        for name, value in (("Version", "1"), ("Type", "Text"), ("LastModifiedDate", "now"), ("Kind", "x")):
            broken = {"Parameter": {**PARAMETER["Parameter"], name: value}}
            self.assertTrue(parameter_of(broken), f"not seen: {name}={value!r}")
        self.assertTrue(parameter_of({"Parameter": {"Name": "/a"}}))
        self.assertTrue(parameter_of({}))

    def test_errors_of_another_form(self):
        self.sees(status_of, REFUSED, "RequestID", "RequestId", "RequestID", 400)
        self.sees(status_of, REFUSED, "<Code>IncorrectInstanceState</Code>", "", "Error.Code", 400)
        self.sees(health_of, REFUSED_ELB, "Sender", "Receiver", "Sender", 400)
        self.sees(health_of, REFUSED_ELB, "ErrorResponse", "Response", "ErrorResponse", 400)
        self.assertTrue(status_of(REFUSED_ELB, 400))
        self.assertTrue(parameter_of({"message": "m"}, 400))
        self.assertTrue(status_of("<html></html>", 500))

    def test_a_wrong_content_type(self):
        found = answered.problems("ec2", "DescribeInstanceStatus", 200, JSON, STATUS.encode())
        self.assertIn("Content-Type", "\n".join(found))


if __name__ == "__main__":
    unittest.main()
