"""That the comparison of two transcripts sees what differs, and nothing else."""

import unittest
from datetime import UTC, datetime

import compare
from case import Step


def instance(number, **members):
    return {"InstanceId": f"i-{number:017x}", "State": {"Name": "running"}, **members}


def answer(*instances, operation="ec2.DescribeInstances"):
    return Step(operation, {}, answer={"Instances": list(instances)})


def between(ours, theirs):
    return [str(difference) for difference in compare.differences(ours, theirs)]


class Compare(unittest.TestCase):
    def same(self, ours, theirs):
        self.assertEqual(between(ours, theirs), [])

    def differ(self, ours, theirs, word):
        found = between(ours, theirs)
        self.assertTrue(found, "not seen")
        self.assertIn(word, "\n".join(found))

    def test_ids_times_and_order_do_not_count(self):
        ours = answer(instance(1, At=datetime(2026, 1, 1, tzinfo=UTC)), instance(2, At=datetime(2026, 1, 1, tzinfo=UTC)))
        theirs = answer(instance(9, At=datetime(2030, 1, 1, tzinfo=UTC)), instance(7, At=datetime(2030, 1, 1, tzinfo=UTC)))
        self.same([ours], [theirs])
        made = [answer(instance(1)), answer(instance(2)), answer(instance(2), instance(1))]
        also = [answer(instance(5)), answer(instance(4)), answer(instance(5), instance(4))]
        self.same(made, also)

    def test_another_object_than_before_counts(self):
        self.differ(
            [answer(instance(1)), answer(instance(2)), answer(instance(1))],
            [answer(instance(5)), answer(instance(6)), answer(instance(6))],
            "InstanceId",
        )

    def test_a_value_a_missing_member_and_a_number_of_entries_count(self):
        self.differ([answer(instance(1))], [answer(instance(1, State={"Name": "stopped"}))], "State.Name: value")
        self.differ([answer(instance(1, Kind="a"))], [answer(instance(1))], "Kind: sim only")
        self.differ([answer(instance(1))], [answer(instance(1, Kind="a"))], "Kind: moto only")
        self.differ([answer(instance(1))], [answer()], "Instances")

    def test_what_is_empty_is_as_good_as_missing(self):
        self.same([answer(instance(1, Tags=[]))], [answer(instance(1))])

    def test_a_refusal_counts_by_its_status_and_its_code(self):
        refused = [Step("ec2.StopInstances", {}, refusal=(400, code)) for code in ("A", "B")]
        answered = Step("ec2.StopInstances", {}, answer={})
        self.differ([refused[0]], [refused[1]], "outcome")
        self.differ([refused[0]], [answered], "outcome")
        self.same([refused[0]], [refused[0]])

    def test_tags_are_compared_key_by_key(self):
        ours = answer(instance(1, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]))
        self.same([ours], [answer(instance(1, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]))])
        self.differ([ours], [answer(instance(1, Tags=[{"Key": "a", "Value": "1"}]))], "Tags.b: sim only")

    def test_other_calls_count_and_quiet_ones_do_not(self):
        self.differ([answer()], [answer(operation="ec2.DescribeImages")], "the calls made")
        quiet = answer(instance(1))
        quiet.compared = False
        self.same([quiet, answer()], [answer()])


class Table(unittest.TestCase):
    def test_a_row_explains_its_path_and_its_kind_alone_and_tells_whether_it_was_met(self):
        rows = [
            ("ec2.DescribeInstances", "*State.Name", "value", "why"),
            ("ec2.*", "Never", "sim only", "why"),
        ]
        table = compare.Table(rows)
        (value,) = compare.differences([answer(instance(1))], [answer(instance(1, State={"Name": "stopped"}))])
        (missing,) = compare.differences([answer(instance(1, Kind="a"))], [answer(instance(1))])
        self.assertTrue(table.explains(value))
        self.assertFalse(table.explains(missing))
        self.assertEqual(table.unmet(), rows[1:])


if __name__ == "__main__":
    unittest.main()
