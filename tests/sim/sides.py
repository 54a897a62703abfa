"""The two clouds that cases run on: the simulated AWS on a port, and moto; one way to talk to both.

Each case gets an empty cloud. On the simulated AWS time stands still (`--speed 0`) unless a case moves it, so a run
is the same on a slow machine; every answer is checked against AWS's model as it arrives. moto has no time to move: what
takes AWS minutes is done there at once.
"""

import functools
import json
import logging
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config

import answered
import asked

ACCOUNT = "123456789012"
REGION = "eu-west-2"
START_TIMEOUT_S = 20
# botocore's name -> the name requests are signed for.
SIGNING_NAMES = {"elbv2": "elasticloadbalancing"}


def program():
    """The keepgreen to test: $KEEPGREEN, or the one that cargo builds for its tests."""
    if given := os.environ.get("KEEPGREEN"):
        return given
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    target = os.environ.get("CARGO_TARGET_DIR") or Path(cache) / "keepgreen" / "target"
    return str(Path(target) / "debug" / "keepgreen")


class SimProcess:
    """One running `keepgreen sim`. With a port given, it takes the place of an earlier one there."""

    def __init__(self, port=0, speed=0, seed=1):
        command = [program(), "sim", "--listen", f"127.0.0.1:{port}", "--speed", str(speed), "--seed", str(seed)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        line = self.process.stderr.readline()
        if not line.startswith("listening on "):
            rest = line + self.process.stderr.read()
            raise RuntimeError(f"`{' '.join(command)}` did not start: {rest}")
        self.address = line.split()[-1]
        self.url = f"http://{self.address}"
        self.said = []
        # Read on, or a full pipe would stop it.
        threading.Thread(target=lambda: self.said.extend(self.process.stderr), daemon=True).start()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def control(self, method, route, body=None):
        """(status, parsed or plain answer) of a control route, `advance` for /_sim/advance."""
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.url}/_sim/{route}" if route else f"{self.url}/_sim"
        request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=START_TIMEOUT_S) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as err:
            status, text = err.code, err.read().decode()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Side:
    """What both clouds have in common: boto3 clients, made once."""

    name = ""

    def __init__(self, url):
        self.url = url
        self.session = boto3.Session(region_name=REGION)
        self.clients = {}

    def client(self, service, key="AKIAEXAMPLEEXAMPLE00", region=REGION, validate=True, token=None):
        wanted = (service, key, region, validate, token)
        if wanted not in self.clients:
            made = self.session.client(
                service,
                endpoint_url=self.url,
                region_name=region,
                aws_access_key_id=key,
                aws_secret_access_key="secret",
                aws_session_token=token,
                config=Config(
                    retries={"total_max_attempts": 1}, read_timeout=20, parameter_validation=validate
                ),
            )
            self.watch(service, made)
            self.clients[wanted] = made
        return self.clients[wanted]

    def watch(self, service, client):
        """Looks at what goes over the wire of a new client."""


class SimSide(Side):
    """The simulated AWS. `problems` is what was wrong with answers since the last `begin`."""

    name = "sim"

    def __init__(self):
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}")
        self.process = None
        self.problems = []

    def begin(self):
        self.end()
        self.process = SimProcess(self.port)
        self.problems = []

    def end(self):
        if self.process:
            self.process.close()
            self.process = None

    def watch(self, service, client):
        signing = SIGNING_NAMES.get(service, service)
        events = client.meta.events
        events.register("before-parse.*", functools.partial(self.check_answer, signing))
        events.register("before-send.*", functools.partial(self.check_request, signing))

    def check_answer(self, service, operation_model, response_dict, **_):
        status, headers, body = (response_dict[name] for name in ("status_code", "headers", "body"))
        found = answered.problems(service, operation_model.name, status, headers, body)
        self.problems += [f"{line}\n    in {body.decode(errors='replace')}" for line in found]

    def check_request(self, service, request, **_):
        """boto3's own requests keep AWS's models: one that the checker refuses shows the checker's mistake."""
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        headers = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
        }
        action = headers.get("X-Amz-Target", "").rpartition(".")[2]
        action = action or dict(pair.split("=", 1) for pair in body.split("&"))["Action"]
        if self.expects_valid_requests:
            found = asked.Asked(service, action, body, headers).problems()
            self.problems += [f"boto3's request is refused by the checker: {line}" for line in found]

    # Off while a case sends what a client's own checks would stop.
    expects_valid_requests = True

    def control(self, method, route, body=None):
        status, answer = self.process.control(method, route, body)
        if status != 200:
            raise AssertionError(f"{method} /_sim/{route} {body}: {status} {answer}")
        return answer

    def advance(self, seconds):
        self.control("POST", "advance", {"seconds": seconds})


class MotoSide(Side):
    """moto, in this process, as it comes."""

    name = "moto"

    def __init__(self):
        os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # 1,301 images that nobody here launches
        from moto.moto_server.threaded_moto_server import ThreadedMotoServer

        # A line a request, and a traceback where moto breaks over one: the case that sent it says what went wrong.
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self.server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self.server.start()
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.server._server is None and time.monotonic() < deadline:
            time.sleep(0.01)
        host, port = self.server.get_host_and_port()
        super().__init__(f"http://{host}:{port}")

    def begin(self):
        from moto.moto_api._internal.models import moto_api_backend

        moto_api_backend.reset()

    def end(self):
        """Nothing is left running between cases that would matter."""

    def advance(self, seconds):
        """moto has no time to move."""
