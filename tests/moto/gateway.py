"""The path of one AWS request through the launcher.

    read and log -> allowed by AWS's model? -> kill at receipt? -> fault before? -> moto, under the lock -> kill after?
        -> fault after? -> answer

Delays and hangs happen outside the lock, so that one slow call holds up nobody else. Whatever moto cannot do, or
breaks over, is answered with a 4xx that names it: an HTTP 500 would have the SDK retry, and the test find out late.
"""

import io
import sys
import time
import traceback
from datetime import UTC, datetime

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

import allowed
import faults
import kills
import wire
from patches_core import account_of
from state import LOCK, AwsError, Dropped, S

HANG_MAX_S = 600.0
_moto = DomainDispatcherApplication(create_backend_app)


class Gateway:
    """Answers AWS requests. `closed` tells whether the client has gone, for hangs to end early."""

    def handle(self, environ, headers, body, closed):
        """(status, [(header, value)], body) of the answer; raises Dropped if there is to be none."""
        with LOCK:
            call = wire.parse(len(S.calls) + 1, headers, body)
            call.account = account_of(call.access_key)
            call.page = S.page_tokens.get((call.action, wire.token_of(call)), 1)
            S.calls.append(call)
            try:
                allowed.check(call, environ, headers, body)
                kill = kills.at_receipt(call)
                fault = faults.take(call)
            except Dropped:
                call.outcome = "killed"
                raise
            except AwsError as err:
                call.status, call.outcome, call.error = err.status, "answered", err.code
                kind, answer = wire.render_error(call, err.status, err.code, err.message)[1:]
                return finished(call, err.status, [("Content-Type", kind)], answer)
        try:
            answer = self._through_faults(call, fault, kill, environ, body, closed)
        except Dropped:
            call.outcome = "killed" if call.outcome == "killed" else "dropped"
            raise
        except Exception:
            call.outcome = "failed"  # the launcher's own defect: the handler shows it
            raise
        call.status, call.outcome = answer[0], "answered"
        call.error = wire.error_code(answer[2]) if answer[0] >= 300 else None
        return answer

    def _through_faults(self, call, fault, kill, environ, body, closed):
        if fault and fault.phase == "before":
            self._wait(fault, closed)
            if fault.kind in ("error", "page_fail"):
                return injected(call, fault)
        with LOCK:
            answer = apply(call, environ, body)
            if kill and not kill.fired:
                kills.fire(kill, call)
        if fault and fault.phase == "after":
            self._wait(fault, closed)
            if fault.kind in ("error", "page_fail"):
                return injected(call, fault)
        if fault and answer[0] == 200:
            answer = rewritten(call, fault, answer)
        return answer

    def _wait(self, fault, closed):
        """The part of a fault that takes time or ends the connection."""
        if fault.delay_s:
            S.released.wait(min(fault.delay_s, HANG_MAX_S))
        if fault.kind == "drop":
            raise Dropped
        if fault.kind == "hang":
            hang(closed)
            raise Dropped


def hang(closed):
    """Holds a connection open and says nothing, until the client goes, the fault is cleared, or ten minutes."""
    released, deadline = S.released, time.monotonic() + HANG_MAX_S
    while time.monotonic() < deadline and not closed() and not released.wait(0.05):
        pass


def injected(call, fault):
    status, kind, body = wire.render_error(call, fault.status, fault.code, fault.message)
    return finished(call, status, [("Content-Type", kind)], body)


def rewritten(call, fault, answer):
    status, headers, body = answer
    if fault.kind == "empty":
        body = wire.emptied(call, body)
    elif fault.kind == "unknown_enum":
        body = wire.with_unknown_member(call, body, fault.instance)
    return status, headers, body


def apply(call, environ, body):
    """Has moto do it, and returns its answer, or the AWS error for what it could not do."""
    environ = dict(environ)
    environ["wsgi.input"] = io.BytesIO(body)
    seen = {}

    def start_response(status, headers, exc_info=None):
        seen["status"], seen["headers"] = int(status.split()[0]), headers

    try:
        if not call.action:
            raise AwsError(
                "MissingAction", "The launcher answers the query and JSON protocols; no action was named"
            )
        answer = b"".join(_moto(environ, start_response))
        call.effect_time = datetime.now(UTC).isoformat()
        status, headers = seen["status"], seen["headers"]
        if status == 404 and not answer:
            raise NotImplementedError("no such service")
    except AwsError as err:
        status, kind, answer = wire.render_error(call, err.status, err.code, err.message)
        headers = [("Content-Type", kind)]
    except NotImplementedError as err:
        text = f"The test server does not implement this part of {call.service}:{call.action}: {err}"
        status, kind, answer = wire.render_error(call, 400, "NotImplemented", text)
        headers = [("Content-Type", kind)]
    except Exception as err:  # a defect of moto or of the launcher: shown on stderr, and never retried
        traceback.print_exc(file=sys.stderr)
        text = f"The test server failed at {call.service}:{call.action}: {type(err).__name__}: {err}"
        status, kind, answer = wire.render_error(call, 400, "TestServerError", text)
        headers = [("Content-Type", kind)]
    if status == 200 and (token := wire.next_token(answer)):
        S.page_tokens[(call.action, token)] = call.page + 1
    return finished(call, status, headers, answer)


def finished(call, status, headers, body):
    body = wire.set_request_id(call, body)
    drop = ("content-length", "x-amzn-requestid", "date", "server", "status")
    headers = [(name, value) for name, value in headers if name.lower() not in drop]
    headers.append(("x-amzn-RequestId", call.request_id))
    return status, headers, body
