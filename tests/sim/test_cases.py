"""Every case on the simulated AWS and on moto, and that no operation goes without one.

`GET /_sim/operations` is the simulation's own table of what it answers. Each of these operations needs a case in which
boto3 gets an answer of it that keeps AWS's model, and one in which moto's answer agrees, or a reason in
`differences.py`: a new operation without them fails here, by name.
"""

import functools
import importlib
import inspect
import re
import unittest
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

import compare
import sides
from case import CASES, SERVICES, SIM_ONLY, Aws
from differences import ANSWERS, AWAITED, CASES_NOT_ON_MOTO, OPERATIONS_NOT_ON_MOTO

for _path in sorted(Path(__file__).parent.glob("cases_*.py")):
    importlib.import_module(_path.stem)

TABLE = compare.Table(ANSWERS)
BOTOCORE_NAMES = {signing: name for name, signing in sides.SIGNING_NAMES.items()}


@functools.cache
def side(kind):
    return kind()


def tearDownModule():
    side(sides.SimSide).end()


@dataclass
class Ran:
    """What became of one case: its transcripts and what went wrong."""

    steps: dict
    errors: list
    # The operation that it needs and that the simulation does not have yet (`differences.AWAITED`).
    awaits: str | None = None

    def answered(self, name):
        """Operations that were answered with a 200 in the compared part of one side's transcript."""
        return {step.operation for step in self.steps.get(name, ()) if step.answer is not None and step.compared}


class Failed(unittest.TestCase):
    """Carries unittest's assertions into a case."""

    maxDiff = None
    longMessage = True


@functools.cache
def run(name):
    ran = Ran({}, [])
    for kind in (sides.SimSide, sides.MotoSide):
        if kind is sides.MotoSide and (name in CASES_NOT_ON_MOTO or name in SIM_ONLY):
            continue
        cloud = side(kind)
        cloud.begin()
        aws = Aws(cloud, Failed())
        ran.steps[cloud.name] = aws.steps
        try:
            CASES[name](aws)
        except ClientError as err:
            ran.awaits = awaited(err, aws.steps[-1])
            if ran.awaits is None:
                ran.errors.append(err)
            break
        except Exception as err:  # whatever it is, it is this case's failure, and the next one still runs
            ran.errors.append(err)
            break
        if cloud.name == "sim":
            ran.errors += [AssertionError(problem) for problem in cloud.problems]
    return ran


def awaited(err, step):
    """The operation that a case stopped at because the simulation does not have it yet."""
    is_missing = err.response["Error"]["Code"] == "NotModelledBySimulation"
    return step.operation if is_missing and step.operation in AWAITED else None


def named_in(name):
    """The operations that a case's own text names."""
    text = inspect.getsource(CASES[name])
    mappings = {service: side(sides.MotoSide).client(service).meta.method_to_api_mapping for service in SERVICES}
    calls = re.findall(r"\.(\w+)", text)
    return {f"{service}.{known[call]}" for service, known in mappings.items() for call in calls if call in known}


@functools.cache
def ends_otherwise_on_moto(name):
    """Whether a case that is listed as different really is."""
    cloud = side(sides.MotoSide)
    cloud.begin()
    aws = Aws(cloud, Failed())
    try:
        CASES[name](aws)
    except Exception:  # the case itself, a refusal, or an answer that cannot be parsed: all of them are a difference
        return True
    found = compare.differences(run(name).steps["sim"], aws.steps)
    return any(not TABLE.explains(difference) for difference in found)


def told(ran):
    """What is wrong with a case that ran to its end on both sides."""
    if "moto" not in ran.steps:
        return []
    found = compare.differences(ran.steps["sim"], ran.steps["moto"])
    return sorted({str(difference) for difference in found if not TABLE.explains(difference)})


class Cases(unittest.TestCase):
    """One test for each case; filled below."""

    maxDiff = None

    def check(self, name):
        ran = run(name)
        if ran.awaits:
            self.skipTest(f"awaits {ran.awaits}: {AWAITED[ran.awaits]}")
        if ran.errors:
            raise ran.errors[0]
        lines = told(ran)
        if lines:
            self.fail("moto answers otherwise, and differences.py has no reason:\n  " + "\n  ".join(lines))


for _name in CASES:
    setattr(Cases, f"test_{_name}", functools.partialmethod(Cases.check, _name))


class Coverage(unittest.TestCase):
    """Looks at all cases together, so it runs those that have not run yet."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.ran = {name: run(name) for name in CASES}
        for ran in cls.ran.values():
            if not ran.errors and not ran.awaits:
                told(ran)
        awaiting = [name for name, ran in cls.ran.items() if ran.awaits]
        # Operations whose cases cannot run before what they await is there.
        cls.awaiting = set().union(*map(named_in, awaiting))
        cloud = side(sides.SimSide)
        cloud.begin()
        cls.operations = modelled(cloud.control("GET", "operations"))

    def answered(self, name):
        return set().union(*(ran.answered(name) for ran in self.ran.values()))

    def test_the_table_of_operations_is_not_empty(self):
        self.assertGreater(len(self.operations), 15)

    def test_every_modelled_operation_has_a_case(self):
        self.assertEqual(sorted(self.operations - self.answered("sim") - self.awaiting), [], "no case gets an answer of these")

    def test_no_case_drives_an_operation_that_the_table_does_not_name(self):
        self.assertEqual(sorted(self.answered("sim") - self.operations), [])

    def test_every_modelled_operation_is_compared_with_moto_or_has_a_reason(self):
        both = self.answered("sim") & self.answered("moto")
        without = self.operations - both - self.awaiting - OPERATIONS_NOT_ON_MOTO.keys()
        self.assertEqual(sorted(without), [], "neither compared with moto nor in differences.py")
        self.assertEqual(sorted(both & OPERATIONS_NOT_ON_MOTO.keys()), [], "compared, and yet in differences.py")

    def test_what_is_awaited_is_not_there_yet(self):
        self.assertEqual(sorted(AWAITED.keys() & self.operations), [], "it is there: take it from differences.AWAITED")

    def test_the_table_of_differences_holds_nothing_that_is_out_of_date(self):
        if not self.awaiting:
            unmet = [f"{operation} {path}: {what}" for operation, path, what, _ in TABLE.unmet()]
            self.assertEqual(unmet, [], "no case meets these rows of differences.py")
        self.assertEqual(sorted(CASES_NOT_ON_MOTO.keys() - CASES.keys()), [], "there are no such cases")
        runs = [name for name in CASES_NOT_ON_MOTO.keys() & CASES.keys() if not self.ran[name].awaits]
        agree = [name for name in runs if not ends_otherwise_on_moto(name)]
        self.assertEqual(agree, [], "moto agrees in these by now")
        self.assertEqual(sorted(CASES_NOT_ON_MOTO.keys() & SIM_ONLY), [], "these cannot run on moto anyway")
        unknown = OPERATIONS_NOT_ON_MOTO.keys() - self.operations - self.awaiting
        self.assertEqual(sorted(unknown), [], "no such operations")


def modelled(table):
    """`ec2.DescribeInstances`, … of the simulation's table, in botocore's words."""
    rows = table["operations"] if isinstance(table, dict) else table
    return {f"{BOTOCORE_NAMES.get(row['service'], row['service'])}.{row['action']}" for row in rows}


if __name__ == "__main__":
    unittest.main()
