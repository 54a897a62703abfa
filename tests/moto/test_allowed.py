"""The program's requests are held against AWS's models; other callers' are not."""

import unittest
from urllib.parse import urlencode

import harness
from harness import REGION, LauncherTest, setUpModule  # noqa: F401

PROGRAM = "aws-sdk-rust/1.7.0 ua/2.1 app/keepgreen"


class AllowedTest(LauncherTest):
    def send(self, agent, **params):
        """(status, answer) of an EC2 request, as a client writes it."""
        import urllib.error
        import urllib.request

        scope = f"AKIAEXAMPLEEXAMPLE00/20261122/{REGION}/ec2/aws4_request"
        headers = {
            "User-Agent": agent,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urlencode({"Version": "2016-11-15", **params}).encode()
        request = urllib.request.Request(self.launcher.url + "/", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as err:
            return err.code, err.read().decode()

    def test_a_request_that_the_model_allows_passes(self):
        status, _ = self.send(PROGRAM, **{"Action": "DescribeInstances", "Filter.1.Name": "tag:a", "Filter.1.Value.1": "b"})
        self.assertEqual(status, 200)
        self.assertEqual(self.get("invalid"), {"invalid": []})

    def test_a_request_that_it_does_not_allow_is_refused_and_kept_and_has_no_effect(self):
        made = self.post("world/instance", tags={"Name": "one"})["ids"][0]
        status, text = self.send(PROGRAM, **{"Action": "StopInstances", "InstanceIds.1": made, "InstanceId.1": made})
        self.assertEqual(status, 400)
        self.assertIn("NotAllowedByModel", text)
        self.assertIn("InstanceIds.1: no such member", text)
        kept = self.get("invalid")["invalid"]
        self.assertEqual(len(kept), 1)
        self.assertIn("InstanceIds.1", kept[0]["problems"][0])
        self.assertEqual(self.states(self.client("ec2")), {made: "running"})
        self.assertEqual(self.get("calls")["calls"][0]["error"], "NotAllowedByModel")

    def test_other_callers_are_moto_s_business(self):
        self.send("curl/8", **{"Action": "DescribeInstances", "NoSuchThing": "1"})
        self.assertEqual(self.get("invalid"), {"invalid": []})


if __name__ == "__main__":
    unittest.main()
