"""What a case is: a function that is given a cloud, does something to it with boto3, and looks at the result.

    @case
    def a_stopped_instance_has_the_reason_of_its_stop(aws):
        one = aws.launch()
        aws.ec2.stop_instances(InstanceIds=[one])
        aws.settle(one, "stopped")
        aws.equal(aws.instance(one)["StateReason"]["Code"], "Client.UserInitiatedShutdown")

The same function runs on the simulated AWS and on moto. Every call made through `aws.ec2` and its like is written into a
transcript, and the two transcripts have to agree, answers and refusals alike (`compare.py`), but for what
`differences.py` lists with a reason. Calls inside `with aws.quietly():` and those of the helpers that wait are not compared:
how often one has to look is no one's business.
"""

import contextlib
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

CASES = {}
# Cases that disturb the cloud through control routes, which moto does not have.
SIM_ONLY = set()
# Longer than any state of the simulated AWS lasts by itself.
SETTLE_MOST_S = 1800
SETTLE_STEP_S = 5
SERVICES = ("ec2", "elbv2", "autoscaling", "ssm", "sts")


def case(function):
    """Registers a case under its name, which has to be a sentence of its own."""
    name = function.__name__
    if name in CASES:
        raise ValueError(f"there are two cases of the name {name}")
    CASES[name] = function
    return function


def sim_case(function):
    """Registers a case that pulls the simulation's own levers (`aws.control`). Any other has to run on moto, too."""
    SIM_ONLY.add(function.__name__)
    return case(function)


@dataclass
class Step:
    """One call and its result: a parsed answer, or (status, code) of a refusal."""

    operation: str
    params: dict
    answer: dict | None = None
    refusal: tuple | None = None
    compared: bool = True


@dataclass
class Aws:
    """One case's view of one side. `test` is the unittest case that asserts."""

    side: object
    test: object
    steps: list = field(default_factory=list)
    quiet: int = 0

    def __getattr__(self, name):
        if name in SERVICES:
            return self.as_key(name)
        raise AttributeError(name)

    def as_key(self, service, **client):
        """A service as another caller, in another region, or without boto3's own validation."""
        return Recorded(self, service, self.side.client(service, **client))

    @property
    def on_sim(self):
        return self.side.name == "sim"

    @contextlib.contextmanager
    def quietly(self):
        """What is called inside is not compared."""
        self.quiet += 1
        try:
            yield
        finally:
            self.quiet -= 1

    def equal(self, seen, wanted, why=None):
        self.test.assertEqual(seen, wanted, f"on {self.side.name}: {why or ''}")

    def true(self, seen, why):
        self.test.assertTrue(seen, f"on {self.side.name}: {why}")

    def refused(self, code, call, *, status=400, **params):
        """The call has to fail with this code and HTTP status; returns the error's message."""
        with self.test.assertRaises(ClientError, msg=f"on {self.side.name}: {params} was not refused") as caught:
            call(**params)
        response = caught.exception.response
        if response["Error"]["Code"] == "NotModelledBySimulation" != code:
            raise caught.exception
        seen = (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"])
        self.equal(seen, (status, code), response["Error"].get("Message"))
        return response["Error"].get("Message", "")

    def invalid(self, code, service, call, *, status=400, **params):
        """As `refused`, for what boto3 would not send."""
        if self.on_sim:
            self.side.expects_valid_requests = False
        try:
            return self.refused(code, getattr(self.as_key(service, validate=False), call), status=status, **params)
        finally:
            if self.on_sim:
                self.side.expects_valid_requests = True

    def advance(self, seconds):
        self.side.advance(seconds)

    def control(self, route, **body):
        """A control route of the simulated AWS, for a `sim_case`."""
        return self.side.control("POST", route, body)

    def until(self, look, why, most_s=SETTLE_MOST_S):
        """Lets time pass until `look()` is true."""
        with self.quietly():
            for _ in range(most_s // SETTLE_STEP_S):
                if look():
                    return
                self.advance(SETTLE_STEP_S)
        self.test.fail(f"on {self.side.name}: after {most_s} s still not: {why}")

    # What most cases begin with.

    def image(self, **params):
        """A new image of our own: an EBS-backed one, of a snapshot of a volume."""
        with self.quietly():
            volume = self.ec2.create_volume(AvailabilityZone="eu-west-2a", Size=8)["VolumeId"]
            self.until(lambda: self.volume(volume)["State"] == "available", f"{volume} is available")
            snapshot = self.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
            self.until(lambda: self.snapshot(snapshot)["State"] == "completed", f"{snapshot} is completed")
            disk = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot, "VolumeSize": 8}}
            wanted = {
                "Name": "base", "Architecture": "x86_64", "RootDeviceName": "/dev/xvda",
                "VirtualizationType": "hvm", "BlockDeviceMappings": [disk],
            }
            image = self.ec2.register_image(**{**wanted, **params})["ImageId"]
            self.until(lambda: self.image_of(image)["State"] == "available", f"{image} is available")
        return image

    def launch(self, count=1, image=None, settled=True, **params):
        """New running instances; the id of one, or a list of several."""
        image = image or self.image()
        with self.quietly():
            wanted = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": count, "MaxCount": count}
            made = self.ec2.run_instances(**{**wanted, **params})["Instances"]
        ids = [instance["InstanceId"] for instance in made]
        if settled:
            self.settle(ids, "running")
        return ids if count > 1 else ids[0]

    def settle(self, ids, state):
        """Waits until instances are in a state."""
        ids = [ids] if isinstance(ids, str) else ids

        def look():
            found = self.ec2.describe_instances(InstanceIds=ids)["Reservations"]
            states = [one["State"]["Name"] for group in found for one in group["Instances"]]
            return len(states) == len(ids) and set(states) == {state}

        self.until(look, f"{ids} {state}")

    def instance(self, one):
        """One instance, as an uncompared DescribeInstances shows it."""
        with self.quietly():
            return self.ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]

    def volume(self, one):
        with self.quietly():
            return self.ec2.describe_volumes(VolumeIds=[one])["Volumes"][0]

    def snapshot(self, one):
        with self.quietly():
            return self.ec2.describe_snapshots(SnapshotIds=[one])["Snapshots"][0]

    def image_of(self, one):
        with self.quietly():
            return self.ec2.describe_images(ImageIds=[one])["Images"][0]

    def subnets(self):
        """The default subnets' ids, in the order of their zones."""
        with self.quietly():
            found = self.ec2.describe_subnets()["Subnets"]
        return [one["SubnetId"] for one in sorted(found, key=lambda one: one["AvailabilityZone"])]

    def vpc(self):
        with self.quietly():
            return self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]


class Recorded:
    """A boto3 client whose calls are written into the transcript."""

    def __init__(self, aws, service, client):
        self.aws, self.service, self.boto = aws, service, client

    def __getattr__(self, name):
        method = getattr(self.boto, name)
        operation = self.boto.meta.method_to_api_mapping.get(name)
        if operation is None:
            raise AttributeError(f"{name} is no operation of {self.service}")

        def call(**params):
            step = Step(f"{self.service}.{operation}", params, compared=not self.aws.quiet)
            self.aws.steps.append(step)
            try:
                answer = method(**params)
            except ClientError as err:
                step.refusal = (
                    err.response["ResponseMetadata"]["HTTPStatusCode"], err.response["Error"]["Code"]
                )
                raise
            step.answer = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
            return answer

        return call

    def pages(self, operation, **params):
        """All pages of a listing, by boto3's own paginator; a recorded call each."""
        page, token = {}, None
        paginator = self.boto.get_paginator(operation)
        config = params.pop("PaginationConfig", {})
        size = {paginator._limit_key: config["PageSize"]} if config else {}
        (into,), (outof,) = paginator._input_token, paginator._output_token
        pages = []
        while token or not pages:
            page = getattr(self, operation)(**params, **size, **({into: token} if token else {}))
            pages.append(page)
            token = outof.search(page)
        return pages
