"""A moto server in one process that behaves like AWS where it matters to keepgreen, and takes orders from tests.

    python launcher.py [--host 127.0.0.1] [--port 0] [--ready-file PATH] [--exit-with-stdin]

Prints `listening on HOST:PORT` when it accepts requests, and writes the same line to --ready-file. AWS clients use it
as their endpoint URL; tests steer it by the routes that `GET /_h` lists. It ends on SIGTERM, and with
--exit-with-stdin when its standard input closes, so that a test that is killed leaves no server behind.

moto's own classes are patched in place (patches_*.py), because the gaps are in what its answers say. Each patch
names what moto does and what AWS does instead.
"""

import argparse
import os
import select
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path

os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # 1,301 images that nobody here launches
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-2")

from moto.moto_server.werkzeug_app import MotoRequestHandler  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

import control  # noqa: E402
import gateway  # noqa: E402
import patches_core  # noqa: E402
import patches_ec2  # noqa: E402
import patches_elb  # noqa: E402
import patches_images  # noqa: E402
import patches_launch  # noqa: E402
import world  # noqa: E402
from state import Dropped  # noqa: E402

for patches in (patches_core, patches_ec2, patches_images, patches_launch, patches_elb):
    patches.install()
GATEWAY = gateway.Gateway()


class Handler(MotoRequestHandler):
    """Speaks HTTP/1.1 with kept-alive connections, as AWS does, and can close one without an answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def run_wsgi(self):
        try:
            body = self._body()
            if self.path == "/_h" or self.path.startswith("/_h/"):
                self._control(body)
            else:
                status, headers, answer = GATEWAY.handle(self.make_environ(), self.headers, body, self._gone)
                self._send(status, headers, answer)
        except Dropped:
            self._drop()
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception:
            traceback.print_exc(file=sys.stderr)
            self._send(400, [("Content-Type", "text/plain")], traceback.format_exc().encode())

    def _control(self, body):
        path = self.path.partition("?")[0]
        status, headers, answer, hangs = control.handle(self.command, path, self.headers, body)
        if hangs:
            gateway.hang(self._gone)
            raise Dropped
        self._send(status, headers, answer)

    def _body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self.make_environ()["wsgi.input"].read()
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _drop(self):
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the client was faster

    def _gone(self):
        """Whether the client has closed its end; what it may have sent meanwhile stays unread."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def log_request(self, *_args, **_kwargs):
        """The call log is the record; a line a call on stderr would bury the tracebacks."""


def exit_with_stdin():
    """Ends the process when whoever started it is gone; a kill -9 of it closes the pipe too."""
    while os.read(0, 4096):
        pass
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--ready-file", type=Path, help="gets the line `listening on …` once requests are accepted"
    )
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input closes")
    args = parser.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    world.reset({})
    server = make_server(args.host, args.port, None, threaded=True, request_handler=Handler)
    line = f"listening on {args.host}:{server.server_port}"
    if args.exit_with_stdin:
        threading.Thread(target=exit_with_stdin, daemon=True).start()
    if args.ready_file:
        part = args.ready_file.with_name(args.ready_file.name + ".part")
        part.write_text(line + "\n")
        part.replace(args.ready_file)
    print(line, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
