"""Documents in their source."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss.nesting import IMPLIED, Element
from smtpeter.transform.inlinecss.tree import elements, in_quirks_mode, style_elements
from smtpeter.transform.markup import read


def tree(html: str) -> list[Element]:
    """Parent, name and number of tag of each element."""
    return elements(read(html))


class TreeTests(SynchronousTestCase):
    """The elements of a document."""

    def test_left_out(self) -> None:
        """Those that the markup leaves out have no start tag."""
        self.assertEqual(
            [(-1, "html", IMPLIED), (0, "body", IMPLIED), (1, "p", 0), (1, "p", 1)],
            tree("<p>a<p>b"),
        )

    def test_row_groups(self) -> None:
        """Rows are in row groups, cells in rows; groups that are there are kept apart."""
        self.assertEqual(
            [
                (-1, "html", IMPLIED),
                (0, "body", IMPLIED),
                (1, "table", 0),
                (2, "tbody", IMPLIED),
                (3, "tr", 1),
                (2, "thead", 3),
                (5, "tr", 4),
                (2, "tbody", IMPLIED),
                (7, "tr", 7),
            ],
            tree("<table><tr></tr><thead><tr></tr></thead><tr></tr></table>"),
        )

    def test_comments(self) -> None:
        """What stands in comments, conditional ones too, is no element."""
        self.assertEqual(
            ["html", "body", "p"], [tag for _, tag, _ in tree("<!--[if mso]><b><![endif]--><p>")]
        )

    def test_control_characters(self) -> None:
        """Characters that no document should have do no harm."""
        found = tree("<p class='a\0\x01b\ud800'>\x02<b \ufffe>")
        self.assertEqual(["p", "b"], [tag for _, tag, _ in found[2:]])

    @given(st.text(alphabet="<>/= \"'!-[]abptdrhml\0\n&;", max_size=60))
    def test_anything(self, html: str) -> None:
        """Whatever the text, each element with a start tag is one of the source's."""
        document = read(html)
        numbers = [number for _, _, number in elements(document) if number != IMPLIED]
        self.assertEqual(len(numbers), len(set(numbers)))
        for number in numbers:
            self.assertNotIn("/", document.names[number][:1])


class StyleTests(SynchronousTestCase):
    """Style elements."""

    def test_pieces(self) -> None:
        """Their start tag, their content, and their end tag."""
        document = read("<STYLE a>b<c></style ><style></style>")
        first, second = style_elements(document)
        self.assertEqual("<STYLE a>", document.pieces[first.opening])
        self.assertEqual("b<c>", document.pieces[first.content])
        self.assertEqual("</style >", document.pieces[first.closing or 0])
        self.assertEqual("", document.pieces[second.content])

    def test_open(self) -> None:
        """One that is not closed goes to the end, or to the next tag."""
        [style] = style_elements(read("<style>a"))
        self.assertIsNone(style.closing)
        [style] = style_elements(read("<svg><style/>a<b>"))
        self.assertIsNone(style.closing)


class QuirksTests(SynchronousTestCase):
    """Doctypes."""

    def test_quirks(self) -> None:
        """None, and those of old, mean quirks mode."""
        for html in (
            "",
            "<html>",
            "<p><!DOCTYPE html>",
            "text <!DOCTYPE html>",
            "<!DOCTYPE foo>",
            '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.0 Transitional//EN">',
            '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">',
            "<!DOCTYPE HTML PUBLIC '-//IETF//DTD HTML 2.0//EN'>",
        ):
            self.assertTrue(in_quirks_mode(html), html)

    def test_no_quirks(self) -> None:
        """Others do not, whatever precedes them that is no content."""
        for html in (
            "<!doctype html>",
            " <?xml version='1.0'?><!-- x --> <!DOCTYPE html>",
            '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://x">',
            '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://x">',
            '<!DOCTYPE html SYSTEM "about:legacy-compat">',
        ):
            self.assertFalse(in_quirks_mode(html), html)
