"""Documents in their source."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss.document import MARK, elements, in_quirks_mode, read


def tree(html: str) -> list[tuple[int, str, str | None]]:
    """Parent, tag and number of start tag of each element."""
    return [(parent, tag, each.get(MARK)) for parent, tag, each in elements(read(html))]


class TreeTests(SynchronousTestCase):
    """The elements of a document."""

    def test_left_out(self) -> None:
        """Those that the markup leaves out have no start tag."""
        self.assertEqual(
            [(-1, "html", None), (0, "body", None), (1, "p", "0"), (1, "p", "1")], tree("<p>a<p>b")
        )

    def test_row_groups(self) -> None:
        """Rows are in row groups, cells in rows; groups that are there are kept apart."""
        self.assertEqual(
            [
                (-1, "html", None),
                (0, "body", None),
                (1, "table", "0"),
                (2, "tbody", None),
                (3, "tr", "1"),
                (2, "thead", "2"),
                (5, "tr", "3"),
                (2, "tbody", None),
                (7, "tr", "4"),
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
        source = read(html)
        numbers = [int(each[MARK]) for _, _, each in elements(source) if MARK in each]
        self.assertEqual(len(numbers), len(set(numbers)))
        self.assertLessEqual(set(numbers), set(range(len(source.starts))))
        for start, end in source.starts:
            self.assertEqual(("<", ">"), (html[start], html[end - 1]))


class StyleTests(SynchronousTestCase):
    """Style elements."""

    def test_offsets(self) -> None:
        """Their start tag, their content, and their end."""
        html = "<STYLE a>b<c></style ><style></style>"
        first, second = read(html).styles
        self.assertEqual("<STYLE a>", html[first.start : first.content])
        self.assertEqual("b<c>", html[first.content : first.content_end])
        self.assertEqual("</style >", html[first.content_end : first.end])
        self.assertEqual(second.content, second.content_end)

    def test_open(self) -> None:
        """One that is not closed goes to the end."""
        [style] = read("<style>a").styles
        self.assertEqual((8, 8), (style.content_end, style.end))


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
