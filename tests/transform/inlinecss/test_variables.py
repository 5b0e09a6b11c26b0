"""Custom properties."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss.syntax import declarations
from smtpeter.transform.inlinecss.variables import Variables, inherited, resolved

VALUE_LIKE = st.lists(
    st.sampled_from(["var(", "--a", "--b", ",", ")", "(", "x", "'", " ", "1px"]), max_size=12
).map("".join)


def declared(text: str, parent: Variables = ()) -> dict[str, str]:
    return dict(inherited(parent, declarations(text)))


class InheritedTests(SynchronousTestCase):
    """The custom properties of an element."""

    def test_none(self) -> None:
        """Without own ones they are those of its parent."""
        parent = (("--a", "1"),)
        self.assertIs(parent, inherited(parent, declarations("color:red")))

    def test_own(self) -> None:
        """Own ones are added; the last counts."""
        self.assertEqual({"--a": "3", "--b": "2"}, declared("--a:1;--b:2;--a:3"))

    def test_of_others(self) -> None:
        """They may be made of others, whatever the order."""
        self.assertEqual("1 2", declared("--a:var(--b) 2;--b:1")["--a"])
        self.assertEqual("1 2", declared("--a:var(--p) 2", (("--p", "1"),))["--a"])

    def test_cycle(self) -> None:
        """Those made of themselves have no value."""
        self.assertEqual({"--c": "x"}, declared("--a:var(--b);--b:var(--a);--c:var(--a,x)"))
        self.assertEqual({}, declared("--a:var(--a)", (("--a", "1"),)))

    def test_keywords(self) -> None:
        """`initial` takes the value away, `inherit` leaves the parent's."""
        parent = (("--a", "1"), ("--b", "2"))
        self.assertEqual({"--b": "2"}, declared("--a:initial;--b:inherit", parent))

    def test_bounded(self) -> None:
        """Values that double and double again have none in the end."""
        chain = ";".join(f"--a{n}:var(--a{n + 1})var(--a{n + 1})" for n in range(40))
        self.assertNotIn("--a0", declared(f"{chain};--a40:xxxxxxxx"))


class ResolvedTests(SynchronousTestCase):
    """Values with variables."""

    def test_resolved(self) -> None:
        """Each variable is replaced, what is around it stays."""
        for value, result in (
            ("calc(var(--a) * 2)", "calc(1px * 2)"),
            ("VAR( --a ) var(--a)", "1px 1px"),
            ("var(--x, 2px)", "2px"),
            ("var(--x, var(--y, f(a, b)))", "f(a, b)"),
            ("var(--x,)", ""),
            ("var(--x)", None),
            ("var(x)", None),
            ("my-var(--a)", "my-var(--a)"),
        ):
            self.assertEqual(result, resolved(value, (("--a", "1px"),)), value)

    @given(VALUE_LIKE)
    def test_anything(self, value: str) -> None:
        """Whatever the value, a variable in it is replaced, or the value has no meaning."""
        result = resolved(value, (("--a", "1"), ("--b", "2")))
        self.assertTrue(result is None or not re.search(r"(?<![\w-])var\(", result))
