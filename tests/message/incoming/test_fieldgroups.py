"""Fields in groups, as reports have them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.incoming.decoding import Header
from smtpeter.message.incoming.fieldgroups import GROUPS, groups_of, without_comments


class GroupTests(SynchronousTestCase):
    """Fields in groups."""

    def test_fields(self) -> None:
        """Names in any case, folded values, lines that are none."""
        groups = groups_of(
            ["", "Reporting-MTA: dns; x", "no field", "", "", "ACTION : failed", " (so)", "", "!"]
        )
        self.assertEqual(
            [
                Header({"reporting-mta": ("dns; x",)}),
                Header({"action": ("failed (so)",)}),
            ],
            groups,
        )

    def test_once(self) -> None:
        """A second field of a name that a group has once begins the next."""
        lines = ["A: 1", "B: 2", "A: 3", "B: 4"]
        self.assertEqual(1, len(groups_of(lines)))
        self.assertEqual(["1", "3"], [each.first("a") for each in groups_of(lines, {"a"})])

    @given(st.text("ab()\\ ", max_size=30))
    def test_comments(self, value: str) -> None:
        """Nothing but what was there is left."""
        left = without_comments(value)
        self.assertLessEqual(len(left), len(value))

    def test_nested_comments(self) -> None:
        self.assertEqual("5.1.1", without_comments("5.1.1 (bad (very) mailbox)"))

    def test_bounds(self) -> None:
        """So many groups of fields, and so much of a value."""
        self.assertEqual(GROUPS, len(groups_of(["A: b", ""] * 1000)))
        (group,) = groups_of(["A: b", *[" " + "c" * 900] * 1000])
        self.assertLessEqual(len(group.first("a")), 3000)
