"""Tests for `smtpeter.web.api.recipients`."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.web.api.recipients import recipients
from smtpeter.web.problem import Problem

KEES, RIA = "kees@mailbox.example", "ria@mailbox.example"


def read(limit: int = 10, **fields: Any) -> list[str]:
    return [each.written for each in recipients(fields, limit, None, None)]


class FormsTests(SynchronousTestCase):
    """All forms in which recipients are given."""

    def test_forms(self) -> None:
        """Strings, arrays, objects, and arrays of objects, under both names."""
        both = [KEES, RIA]
        self.assertEqual([KEES], read(recipient=KEES))
        self.assertEqual([KEES], read(recipients=KEES))
        self.assertEqual(both, read(recipient=both))
        self.assertEqual(both, read(recipients=both))
        self.assertEqual(both, read(recipients={KEES: {}, RIA: None}))
        self.assertEqual(both, read(recipients=[{KEES: {}}, RIA]))
        self.assertEqual(both, read(recipients={KEES: [], RIA: []}))

    def test_commas(self) -> None:
        """Addresses in one string are separated by commas, also in an array."""
        self.assertEqual([KEES, RIA], read(recipient=f"{KEES}, {RIA},"))
        self.assertEqual([KEES, RIA], read(recipients=[f" {KEES},{RIA}\r\n"]))
        self.assertEqual(['"a,b"@x.example', KEES], read(recipient=f'"a,b"@x.example,{KEES}'))

    def test_both_names(self) -> None:
        """The singular name comes first."""
        self.assertEqual([KEES, RIA], read(recipients=[RIA], recipient=KEES))

    def test_same_address_twice(self) -> None:
        """The same address is one recipient; the domain has no case, the local part has."""
        written = [KEES, "kees@MAILBOX.example", "Kees@mailbox.example", '"kees"@mailbox.example']
        self.assertEqual([KEES, "Kees@mailbox.example"], read(recipients=written))

    def test_wishes(self) -> None:
        """Each recipient gets the wishes for notifications."""
        notify = frozenset({"DELAY"})
        for each in recipients({"recipients": [KEES, RIA]}, 2, notify, "rfc822;x@y.example"):
            self.assertEqual((notify, "rfc822;x@y.example"), (each.notify, each.orcpt))


class ErrorsTests(SynchronousTestCase):
    """What is no recipient."""

    def assert_problem(self, text: str, **fields: Any) -> None:
        problem = self.assertRaises(Problem, read, **fields)
        self.assertEqual((400, text), (problem.status, problem.text))

    def test_none(self) -> None:
        """At least one recipient is needed."""
        empty: list[Any] = [None, "", " , ", [], {}, [""], [{}]]
        for value in empty:
            self.assert_problem("No recipient was given", recipients=value)
        self.assert_problem("No recipient was given")

    def test_pure_addresses_only(self) -> None:
        """A recipient has no name and no angle brackets."""
        for value in ("kees", "Kees <kees@mailbox.example>", f"<{KEES}>", "a b@c.example"):
            self.assert_problem(f"Invalid recipient address: {value}", recipient=value)
            self.assert_problem(f"Invalid recipient address: {value}", recipients={value: {}})
        self.assert_problem("Invalid recipient address: a number", recipients=[KEES, 5])
        self.assert_problem("Invalid recipient address: an array", recipients=[[KEES]])

    def test_data(self) -> None:
        """Data for a recipient is not available yet, and is an object when it is."""
        text = "The data of a recipient is not available yet"
        self.assert_problem(text, recipients={KEES: {"first": "Kees"}})
        self.assert_problem(text, recipients=[{KEES: {"first": "Kees"}}])
        text = f"The data of {KEES} must be an object, not a string"
        self.assert_problem(text, recipients={KEES: "x"})

    def test_limit(self) -> None:
        """The number of different recipients has a limit."""
        many = [f"k{n}@mailbox.example" for n in range(10)]
        self.assertEqual(many, read(recipients=many + many))
        text = "There are more than 10 recipients in one call"
        self.assert_problem(text, recipients=[*many, KEES])

    @given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
    def test_anything(self, value: Any) -> None:
        """Any value gives recipients or a problem."""
        try:
            self.assertTrue(read(recipients=value))
        except Problem as problem:
            self.assertEqual(400, problem.status)
