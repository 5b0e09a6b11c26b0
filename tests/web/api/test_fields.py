"""Tests for `smtpeter.web.api.fields`."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.web.api import fields
from smtpeter.web.problem import Problem


class NamesTests(SynchronousTestCase):
    """Two generations of names."""

    def test_each_name(self) -> None:
        """Every earlier name stands for the later one."""
        for earlier, later in (
            ("body", "mime"),
            ("inlinizecss", "inlinecss"),
            ("inlineizecss", "inlinecss"),
            ("clicktracking", "trackclicks"),
            ("bouncetracking", "trackbounces"),
            ("openstracking", "trackopens"),
        ):
            self.assertEqual({later: 1}, fields.under_later_names({earlier: 1}))

    def test_later_wins(self) -> None:
        """With both names the later one counts, in any order, unless it says nothing."""
        self.assertEqual({"mime": 2}, fields.under_later_names({"body": 1, "mime": 2}))
        self.assertEqual({"mime": 2}, fields.under_later_names({"mime": 2, "body": 1}))
        self.assertEqual({"mime": 1}, fields.under_later_names({"mime": None, "body": 1}))


class TypesTests(SynchronousTestCase):
    """Values of one type."""

    def test_text(self) -> None:
        """A string, or nothing, or an error that names the field and the type."""
        self.assertEqual("a", fields.text({"x": "a"}, "x"))
        self.assertIsNone(fields.text({}, "x"))
        for value, kind in ((1, "a number"), ([], "an array"), (False, "false")):
            problem = self.assertRaises(Problem, fields.text, {"x": value}, "x")
            self.assertEqual(f"The field x must be a string, not {kind}", problem.text)

    def test_mapping(self) -> None:
        """An object; an empty array or string is an empty one."""
        self.assertEqual({"a": 1}, fields.mapping({"x": {"a": 1}}, "x"))
        empty: list[dict[str, Any]] = [{}, {"x": None}, {"x": []}, {"x": ""}, {"x": {}}]
        for given in empty:
            self.assertEqual({}, fields.mapping(given, "x"))
        for value in ([1], "a", 0, True, False):
            self.assertRaises(Problem, fields.mapping, {"x": value}, "x")

    def test_boolean(self) -> None:
        """Every word for true and false in any case, the JSON values, and 1 and 0."""
        for value in (True, 1, "true", "1", "Yes", "ON"):
            self.assertIs(True, fields.boolean(value, "x"))
        for value in (False, 0, "false", "0", "No", "OFF"):
            self.assertIs(False, fields.boolean(value, "x"))
        wrong: list[Any] = ["", "maybe", 2, -1, 0.5, [], {}, [1]]
        for value in wrong:
            problem = self.assertRaises(Problem, fields.boolean, value, "x")
            self.assertIn("The field x must be true or false", problem.text)


class MailboxesTests(SynchronousTestCase):
    """Addresses with names."""

    def read(self, value: object) -> list[tuple[str, str]]:
        found = fields.mailboxes({"to": value}, "to")
        return [(each.name, str(each.mailbox)) for each in found]

    def test_mixed(self) -> None:
        """Strings with commas, arrays and objects may be mixed."""
        value = [
            "kees@mailbox.example, Ria <ria@mailbox.example>",
            {"name": "Doe, Jan", "address": "jan@x.example"},
            {"address": "a@x.example", "name": None},
            "",
            None,
        ]
        expected = [
            ("", "kees@mailbox.example"),
            ("Ria", "ria@mailbox.example"),
            ("Doe, Jan", "jan@x.example"),
            ("", "a@x.example"),
        ]
        self.assertEqual(expected, self.read(value))
        self.assertEqual([expected[2]], self.read(value[1]))
        self.assertEqual([], self.read(None))

    def test_wrong(self) -> None:
        """An error names the field and what is wrong."""
        wrong: list[tuple[object, str]] = [
            ("kees", "'kees' is no address: it has no @"),
            (["a@b.example", "x y@c.example"], "is not one address"),
            (5, "must be a string or an object, not a number"),
            ([[]], "not an array"),
            ({"name": "x"}, "an object must have an address"),
            ({"address": 5}, "an object must have an address"),
            ({"address": "x"}, "'x' is no address"),
            ({"address": "Kees <a@b.example>"}, "is no address"),
        ]
        for value, reason in wrong:
            problem = self.assertRaises(Problem, fields.mailboxes, {"to": value}, "to")
            self.assertIn("Invalid address in the field to: ", problem.text)
            self.assertIn(reason, problem.text)
