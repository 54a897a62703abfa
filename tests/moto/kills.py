"""kill -9 at a chosen AWS call, so that a test can stop a process at every point where the world can tell.

Never a timer: the process is killed while it waits for the answer to its n-th call, either before that call has
an effect (`receipt`) or after it, with the answer withheld (`after`). One kill is armed at a time.
"""

import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from state import BadRequest, Dropped, S

PHASES = ("receipt", "after")
DEATH_TIMEOUT_S = 5.0


@dataclass
class Kill:
    """`n` counts from the moment of arming, over all calls or over those of one action."""

    n: int
    phase: str
    pid: int | None = None
    pid_file: str | None = None
    action: str | None = None
    seen: int = 0
    fired: bool = False
    at_seq: int | None = None
    at_action: str | None = None
    error: str | None = None


def arm(body):
    """`/_h/kill` with a body: arms the kill, replacing an earlier one."""
    at = body.get("at")
    at = {"n": at} if isinstance(at, int) else at
    if not isinstance(at, dict) or not isinstance(at.get("n"), int) or at["n"] < 1:
        raise BadRequest("at must be a number from 1, or {action, n}")
    if body.get("phase") not in PHASES:
        raise BadRequest("phase must be receipt or after")
    if ("pid" in body) == ("pid_file" in body):
        raise BadRequest("give either pid or pid_file")
    S.kill = Kill(at["n"], body["phase"], body.get("pid"), body.get("pid_file"), at.get("action"))
    return status()


def status():
    return {"kill": asdict(S.kill) if S.kill else None}


def disarm():
    S.kill = None
    return status()


def at_receipt(call):
    """Counts the call; kills and drops it if this is the one, at receipt. Returns the kill to do after its effect."""
    kill = S.kill
    if kill is None or kill.fired or kill.action not in (None, call.action):
        return None
    kill.seen += 1
    if kill.seen != kill.n:
        return None
    if kill.phase == "receipt":
        fire(kill, call)
    return kill


def fire(kill, call):
    """Kills the process, waits until it can do nothing more, and drops the call."""
    kill.fired, kill.at_seq, kill.at_action = True, call.seq, call.action
    call.outcome = "killed"
    try:
        pid = kill.pid or int(Path(kill.pid_file).read_text())
        if pid in (0, 1, os.getpid(), os.getppid()) or pid < 0:
            raise ValueError(f"will not kill process {pid}")
        os.kill(pid, signal.SIGKILL)
        await_death(pid)
    except (OSError, ValueError) as err:
        kill.error = str(err)
    raise Dropped


def await_death(pid):
    """Returns once the process is gone or a zombie: its other threads may run on for a moment after the signal."""
    deadline = time.monotonic() + DEATH_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                state = stat.read().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state in ("Z", "X"):
            return
        time.sleep(0.001)
    raise ValueError(f"process {pid} is still alive {DEATH_TIMEOUT_S} s after SIGKILL")
