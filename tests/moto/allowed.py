"""Whether the program's requests are ones that AWS's own models allow, before moto, which is more lenient, sees them.

A request that they do not allow is answered with an error, so that the test that sent it fails, is printed, and is kept
for `GET /_h/invalid`. With $KEEPGREEN_SIM_REQUESTS set, every distinct request is also written into that folder, as
the simulated AWS does (src/sim/requests.rs), for the check at the end of tests/run.
"""

import json
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "sim"))

from asked import Asked  # noqa: E402
from state import AwsError, S  # noqa: E402

# Only the program's: a test that plays a person may say what it likes.
PROGRAM = "app/keepgreen"
CODE = "NotAllowedByModel"
_written = set()


def check(call, environ, headers, body):
    """Raises AwsError for a request of the program that AWS's model does not allow."""
    if PROGRAM not in headers.get("User-Agent", ""):
        return
    row = {
        "service": call.service,
        "action": call.action,
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "headers": {name.lower(): headers[name] for name in ("Content-Type", "X-Amz-Target", "User-Agent") if name in headers},
        "body": body.decode("utf-8", "replace"),
    }
    line = json.dumps(row, sort_keys=True)
    write(line)
    problems = Asked.from_line(line).problems()
    if problems:
        S.invalid.append({"seq": call.seq, "problems": problems, "body": row["body"]})
        print(f"the program's request {row['body']!r} is not allowed: {problems}", file=sys.stderr, flush=True)
        raise AwsError(CODE, "; ".join(problems))


def write(line):
    """Adds a request to this process's file, once; called under the lock."""
    folder = os.environ.get("KEEPGREEN_SIM_REQUESTS")
    if folder and line not in _written:
        _written.add(line)
        with open(Path(folder) / f"moto-{os.getpid()}.jsonl", "a") as file:
            file.write(line + "\n")
