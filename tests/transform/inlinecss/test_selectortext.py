"""Selectors as they are written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss.selectors import Compound, Question, Test
from smtpeter.transform.inlinecss.selectortext import Unreadable, parse, parts

SELECTOR_LIKE = st.lists(
    st.sampled_from(
        [
            "a", "P", ".b", "#c", "*", " ", ">", "+", "~", ",", ":not(", ":is(", ")", "[d]",
            "[e='f' i]", ":hover", "::before", ":nth-child(", "2n+1", "odd", "\\31 ", '"', "-", "9",
            ":root", "é",
        ]
    ),
    max_size=12,
).map("".join)  # fmt: skip


def only(text: str) -> Compound:
    [(_, compound)] = parse(text).steps
    return compound


class CompoundTests(SynchronousTestCase):
    """What one element is tested for."""

    def test_names(self) -> None:
        """Tags are in lower case, classes and ids as written."""
        self.assertEqual(Compound("td", ("X",), ("a", "b")), only("TD.b#X.a"))

    def test_caseless(self) -> None:
        """In quirks mode classes and ids are in lower case as well."""
        [(_, compound)] = parse(".A#B", caseless=True).steps
        self.assertEqual(Compound("", ("b",), ("a",)), compound)

    def test_escapes(self) -> None:
        """Escapes stand for what they say."""
        self.assertEqual(("1a:b",), only(".\\31 a\\:b").classes)

    def test_attributes(self) -> None:
        """All operators, values with and without quotes, and the flag for case."""
        for text, test in (
            ("[a]", Test("a")),
            ("[A=b]", Test("a", "=", "b")),
            ("[a~='b c']", Test("a", "~=", "b c")),
            ('[a|="B" i]', Test("a", "|=", "b", caseless=True)),
            ("[align^=Left]", Test("align", "^=", "left", caseless=True)),
            ("[align$=Left s]", Test("align", "$=", "Left")),
            ("[ a *= 'b' ]", Test("a", "*=", "b")),
        ):
            self.assertEqual((test,), only(text).tests, text)

    def test_places(self) -> None:
        """Pseudo-classes of place become questions."""
        for text, question in (
            (":first-child", Question("nth-child", 0, 1)),
            (":last-of-type", Question("nth-last-of-type", 0, 1)),
            (":nth-child(odd)", Question("nth-child", 2, 1)),
            (":nth-child( -n + 3 )", Question("nth-child", -1, 3)),
            (":nth-last-child(4)", Question("nth-last-child", 0, 4)),
            (":nth-of-type(3N-2)", Question("nth-of-type", 3, -2)),
            (":root", Question("root")),
            (":empty", Question("empty")),
        ):
            self.assertEqual((question,), only(text).questions, text)
        self.assertEqual(2, len(only(":only-child").questions))

    def test_link(self) -> None:
        """`:link` is what has a target."""
        self.assertEqual((Test("href"),), only("a:link").tests)


class SelectorTests(SynchronousTestCase):
    """Whole selectors."""

    def test_combinators(self) -> None:
        """Combinators stand before what they lead to, with or without blanks around them."""
        for text in ("a>b + c~d e", "a > b+c ~ d\te"):
            self.assertEqual(
                [("", "a"), (">", "b"), ("+", "c"), ("~", "d"), (" ", "e")],
                [(combinator, compound.tag) for combinator, compound in parse(text).steps],
            )

    def test_specificity(self) -> None:
        """Ids, then classes and the like, then tags; `:where` counts nothing."""
        for text, specificity in (
            ("*", (0, 0, 0)),
            ("a", (0, 0, 1)),
            ("a b.c#d", (1, 1, 2)),
            ("[a]:first-child", (0, 2, 0)),
            (":not(#a, b)", (1, 0, 0)),
            (":is(.a, b c) d", (0, 1, 1)),
            (":where(#a.b) c", (0, 0, 1)),
            ("a::before", (0, 0, 2)),
            ("a:hover", (0, 1, 1)),
        ):
            self.assertEqual(specificity, parse(text).specificity, text)

    def test_static(self) -> None:
        """What depends on the reader, and pieces of elements, are not static."""
        for text in ("a", "a:link", ":not(.x)", "[href]:nth-child(2n)"):
            self.assertTrue(parse(text).is_static, text)
        for text in (
            "a:hover",
            "a:hover b",
            ":not(:focus)",
            ":is(a:active)",
            "p::after",
            "p:after",
        ):
            self.assertFalse(parse(text).is_static, text)

    def test_without_what_is_dynamic(self) -> None:
        """The steps of a dynamic selector are those of whom it may meet."""
        self.assertEqual(parse("a.b i").steps, parse("a.b:hover i:not(:focus)").steps)

    def test_unreadable(self) -> None:
        """A rule with one of these is dropped by browsers, or not for us to judge."""
        for text in (
            *("", ">a", "a>", "a >> b", "a,b", "..a", "#", ".5", "[a", "[a=]", ":", "::", ":foo"),
            *(":not()", ":nth-child(x)", ":nth-child(2 of a)", "a::before b", "::-moz-x", "a|b"),
            *("v\\:*", ":is(::before)", "{a", "a\\"),
        ):
            self.assertRaises(Unreadable, parse, text)

    @given(SELECTOR_LIKE)
    def test_anything(self, text: str) -> None:
        """A text is a selector, or is refused."""
        try:
            selector = parse(text)
        except ValueError:
            return
        self.assertTrue(selector.steps)


class ListTests(SynchronousTestCase):
    """Lists of selectors."""

    def test_parts(self) -> None:
        """They are parted by commas, but not by those in brackets and strings."""
        text = "a, .b:is(c,d) ,[e='f,g'],h\\,i"
        self.assertEqual(
            ["a", ".b:is(c,d)", "[e='f,g']", "h\\,i"],
            [text[start:end].strip() for start, end in parts(text)],
        )

    def test_missing(self) -> None:
        """None of them may be missing."""
        for text in ("", " ", "a,", ",a", "a,,b"):
            self.assertRaises(Unreadable, parts, text)
