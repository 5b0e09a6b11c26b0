from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.comparison import LINE_CHARACTERS, SHOWN_LINES, difference

TEXTS = st.lists(st.sampled_from(["<b>", "x", "\r\n", "<", "y" * 300]), max_size=600).map("".join)


class DifferenceTests(SynchronousTestCase):
    """What people are shown of two texts."""

    @given(TEXTS, TEXTS)
    def test_bounded(self, before: str, after: str) -> None:
        """Whatever the texts are, what is shown has so many lines of such a length."""
        found = difference(before, after)
        self.assertLessEqual(len(found.lines), SHOWN_LINES)
        self.assertLessEqual(max(map(len, found.lines), default=0), LINE_CHARACTERS)
        if found.omitted:
            self.assertEqual(SHOWN_LINES, len(found.lines))

    def test_by_tags(self) -> None:
        """In one long line, only the tags that changed are shown, and those beside them."""
        text = "<p>" * 100 + '<a href="x">link</a>' + "<p>" * 100
        found = difference(text, text.replace('"x"', '"y"'))
        self.assertEqual(
            ("<p>", '-<a href="x">link', '+<a href="y">link', "</a>"),
            tuple(line.removeprefix(" ") for line in found.lines[3:]),
        )

    def test_same(self) -> None:
        """Equal texts do not differ."""
        self.assertEqual((), difference("<b>x</b>", "<b>x</b>").lines)
