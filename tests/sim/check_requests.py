"""Every request that the tests sent, held against AWS's models; run after them, by `tests/run`.

$KEEPGREEN_SIM_REQUESTS names the folder that the simulated AWS (src/sim/requests.rs) and the test server (tests/moto/allowed.py)
wrote them into. It fails on a request that AWS's model does not allow, on an operation of the program's closed list
(src/aws/api.rs) that no test ever sent, and on a folder without requests: a check of nothing proves nothing.
"""

import json
import os
import re
import unittest
from collections import Counter
from pathlib import Path

from asked import Asked

CLOSED_LIST = Path(__file__).parent.parent.parent / "src" / "aws" / "api.rs"
PROGRAM = "app/keepgreen"
# Kinds of writers: both have to have written, or one of them has stopped writing.
WRITERS = ("sim", "moto")


def closed_list(text):
    """The names of the operations that the program may send, from the source of its list."""
    names = re.findall(r'Self::\w+ => "(\w+)"', text.partition("pub fn name(")[2].partition("pub fn ")[0])
    (count,) = re.findall(r"pub const ALL: \[Self; (\d+)\]", text)
    if len(names) != int(count):
        raise ValueError(f"{CLOSED_LIST}: {len(names)} names were read, and the list has {count}")
    return set(names)


def unseen(names, requests):
    """Which of the names no request of the program itself is for."""
    return sorted(names - {one.action for one in requests if PROGRAM in one.headers.get("user-agent", "")})


def lines_of(folder):
    """(file, number, line) of every request that was written down."""
    for file in sorted(Path(folder).glob("*.jsonl")):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            yield file, number, line


class Requests(unittest.TestCase):
    """What the tests before this one have sent."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        folder = os.environ.get("KEEPGREEN_SIM_REQUESTS")
        if not folder:
            raise RuntimeError("KEEPGREEN_SIM_REQUESTS names no folder: run this by tests/run")
        cls.lines = list(lines_of(folder))

    def requests(self):
        return [Asked.from_line(line) for _, _, line in self.lines if "incomplete" not in json.loads(line)]

    def test_requests_were_written_in_the_simulation_and_on_the_test_server(self):
        count = Counter(file.name.partition("-")[0] for file, _, _ in self.lines)
        for writer in WRITERS:
            self.assertGreater(count[writer], 10, f"{writer} wrote next to nothing down: {dict(count)}")

    def test_none_were_left_out(self):
        for file, number, line in self.lines:
            self.assertNotIn("incomplete", json.loads(line), f"{file}:{number}")

    def test_every_request_is_one_that_aws_s_models_allow(self):
        # The simulation's own tests also ask it for what it does not model and for nonsense; those are not the program's.
        found = []
        for one in self.requests():
            if PROGRAM in one.headers.get("user-agent", ""):
                found += [f"{line}\n    in {one.body}" for line in one.problems()]
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_every_operation_of_the_programs_closed_list_was_sent(self):
        self.assertEqual(unseen(closed_list(CLOSED_LIST.read_text()), self.requests()), [], "no test sends these")


if __name__ == "__main__":
    unittest.main()
