"""What the launcher's own tests share: one launcher for all of them, reset before each, and boto3 clients to it."""

import json
import subprocess
import sys
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config

HERE = Path(__file__).parent
REGION = "eu-west-2"
START_TIMEOUT_S = 30


class Launcher:
    """A running launcher process; its standard input is the leash that ends it."""

    def __init__(self, *args):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "launcher.py"), "--exit-with-stdin", *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"the launcher did not start: {line!r}")
        self.url = "http://" + line.split()[-1]

    def close(self):
        self.process.stdin.close()
        self.process.wait(START_TIMEOUT_S)
        self.process.stdout.close()

    def request(self, method, route, body=None):
        """(status, parsed or plain answer) of a control route."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_h/{route}", data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as err:
            status, text = err.code, err.read().decode()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text


_shared = None


def setUpModule():
    """Imported by each test module; starts the one launcher that they all use."""
    global _shared
    if _shared is None:
        _shared = Launcher()
        unittest.addModuleCleanup(_stop)


def _stop():
    global _shared
    _shared.close()
    _shared = None


class LauncherTest(unittest.TestCase):
    """A case with an empty world. `post`, `get` and `delete` are control routes; `client` makes boto3 clients."""

    maxDiff = None

    def setUp(self):
        self.launcher = _shared
        self.post("reset")

    def post(self, route, **body):
        status, answer = self.launcher.request("POST", route, body)
        self.assertEqual(status, 200, answer)
        return answer

    def get(self, route):
        status, answer = self.launcher.request("GET", route)
        self.assertEqual(status, 200, answer)
        return answer

    def delete(self, route):
        return self.launcher.request("DELETE", route)[1]

    def client(
        self, service, key="AKIAEXAMPLEEXAMPLE00", secret="secret", token=None, region=REGION, **config
    ):
        settings = {"retries": {"total_max_attempts": 1}, "read_timeout": 20, **config}
        return boto3.client(
            service,
            endpoint_url=self.launcher.url,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(**settings),
        )

    def refused(self, code, call, **params):
        """Asserts that a call fails with this error code; returns (HTTP status, message)."""
        from botocore.exceptions import ClientError

        with self.assertRaises(ClientError) as caught:
            call(**params)
        response = caught.exception.response
        self.assertEqual(response["Error"]["Code"], code, response)
        return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]

    def states(self, ec2):
        """Instance id -> state, by one DescribeInstances."""
        pages = ec2.describe_instances()["Reservations"]
        return {i["InstanceId"]: i["State"]["Name"] for r in pages for i in r["Instances"]}

    def health(self, elb, group):
        """(instance, port) -> (state, reason), by one DescribeTargetHealth."""
        rows = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {
            (row["Target"]["Id"], row["Target"]["Port"]): (
                row["TargetHealth"]["State"],
                row["TargetHealth"].get("Reason"),
            )
            for row in rows
        }
