"""Documents that need no parser."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss.nesting import IMPLIED, Element, nested
from smtpeter.transform.markup import Document, read

HEAD = "<!DOCTYPE html><html><head><title>a<b></title><meta name=x><style>p{}</style></head><body>"


def names(html: str) -> list[str] | None:
    """The names of the elements in the body; None where a parser is needed."""
    found = nested(read(HEAD + html))
    return None if found is None else [name for _, name, _ in found[6:]]


def parsed(document: Document) -> list[Element]:
    """The elements as a parser sees them that follows the standard."""
    marks = {
        2 * number + 1: f'<{name} n="{number}">'
        for number, name in enumerate(document.names)
        if name[0] != "/"
    }
    root = LexborHTMLParser(str(document.changed(marks))).root
    assert root is not None
    found: list[Element] = []

    def walk(node: Any, parent: int) -> None:
        if node.tag[0] in "-!":  # text, a comment
            return
        own = len(found)
        found.append((parent, node.tag, int(node.attributes.get("n", IMPLIED))))
        for child in node.iter(include_text=False):
            walk(child, own)

    walk(root, -1)
    return found


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """Markup in which each end tag belongs to the start tag before it."""
    kinds = ["div", "p", "a", "b", "span", "ul", "li", "h1", "h2", "img", "table", "center", "o:p"]
    kinds += [
        "tr",
        "td",
        "th",
        "tbody",
        "thead",
        "dl",
        "dt",
        "form",
        "br",
        "style",
        "hr",
        "colgroup",
    ]
    pieces: list[str] = []
    open_now: list[str] = []
    for _ in range(draw(st.integers(0, 25))):
        kind = draw(st.sampled_from([*kinds, *["/"] * 12, *_likely(open_now)]))
        if kind == "/":
            if open_now:
                pieces.append(f"</{open_now.pop()}>")
        elif kind in {"img", "br", "hr"}:
            pieces.append(f"<{kind}>")
        elif kind == "style":
            pieces.append("<style>a > b</style>")
        else:
            pieces.append(f"<{kind}>")
            open_now.append(kind)
    end = draw(st.booleans())
    return "".join([*pieces, *(f"</{each}>" for each in reversed(open_now) if end)])


def _likely(open_now: list[str]) -> list[str]:
    inner = {"table": "tr", "tbody": "tr", "thead": "tr", "tr": "td", "ul": "li", "dl": "dt"}
    last = open_now[-1] if open_now else ""
    return [inner[last]] * 60 if last in inner else []


class NestedTests(SynchronousTestCase):
    """The elements of a body."""

    def test_nested(self) -> None:
        """Tags that are nested say all."""
        self.assertEqual(
            ["div", "p", "a", "img", "ul", "li", "li"],
            names("<div><p><a><img></a></p><ul><li>x</li><li></li></ul></div>"),
        )

    def test_tables(self) -> None:
        """Row groups and rows that the markup leaves out are there."""
        html = "<table><tr><td></td></tr><tr></tr></table>"
        self.assertEqual(["table", "tbody", "tr", "td", "tr"], names(html))
        html = "<table><thead><td></td><td></td><tr></tr></thead><tbody></tbody></table>"
        self.assertEqual(["table", "thead", "tr", "td", "td", "tr", "tbody"], names(html))
        found = nested(read(f"{HEAD}<table><td></td></table>"))
        assert found is not None
        self.assertEqual(
            [(5, "table", 9), (6, "tbody", IMPLIED), (7, "tr", IMPLIED), (8, "td", 10)], found[6:]
        )

    def test_for_a_parser(self) -> None:
        """Whatever has to be repaired is not judged here."""
        for html in (
            "<p><div></div></p>", "<p>a<p>b", "<a><b></a></b>", "<a><a></a></a>", "<li></li>",
            "<tr><td></td></tr>", "<table><div></div></table>", "</b>", "<b></i></b>",
            "<h1><h2></h2></h1>", "<svg></svg>", "<script></script>", "<p><table></table></p>",
            "</body><p></p>", "</body></html><p></p>", "<body>", "<select></select>", "<br></br>",
            "<table><td></td></tr></td></table>",
        ):  # fmt: skip
            self.assertIsNone(names(html), html)

    def test_heads(self) -> None:
        """A head that does not begin as it should, or holds text, is for a parser."""
        for html in (
            "", "<p>", "<html><body>", "<html><head></head>x<body>",
            "<html><head>{{x}}</head><body>", "x<html><head></head><body>",
            "<html><head><p></head><body>", "<html><head><title></head>",
        ):  # fmt: skip
            self.assertIsNone(nested(read(html)), html)

    @settings(max_examples=300)
    @given(bodies())
    def test_as_parsed(self, body: str) -> None:
        """Where no parser is needed, one that follows the standard makes the same of it."""
        document = read(HEAD + body)
        found = nested(document)
        if found is not None:
            self.assertEqual(parsed(document), found)
