"""The inliner: documents in, documents out."""

from __future__ import annotations

import re
from unittest import mock

import cssutils  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss import Inliner
from smtpeter.transform.inlinecss.styled import TooInvolved
from smtpeter.transform.inlinecss.tree import style_elements
from smtpeter.transform.markup import read
from smtpeter.transform.starttag import attribute

SHEETS = st.lists(
    st.sampled_from(
        [
            "p{color:red}", "*{margin:0}", ".a{font-family:\"x y\",'z'}",
            "#b>i{color:blue!important}",
            "td{padding:0}", "a:hover{color:red}", "@media x{p{color:green}}", "/* x */", "{{x}}",
            "p{{{y}}}", "b,:first-line{top:0}", "}", "{", "'", ":root{--a:b}", "i{color:var(--a)}",
        ]
    ),
    max_size=6,
).map("".join)  # fmt: skip
PIECES = st.sampled_from(
    [
        "<!DOCTYPE html>", "<HTML>", "<body bgcolor=red>", "<p>", "</p>", "<P CLASS=a ID='b'>",
        '<i style="top:0">', "<i style='color:{{x}}'>", "<b style=left:0>", "<td Style>", "<br/>",
        "<table>", "<tr>", "</table>", "<a href=x/>", "<td class=>", "<p data-smtpeter-no-inline>",
        "{{#if x}}", "<% a > b %>", "*|X|*", "[[x]]", "&amp;", "&nbsp", "é", "\0", "\x01", "\r\n",
        "<!--[if mso]><p><style>p{color:red}</style><![endif]-->", "<![if !mso]>", "<![endif]>",
        "<v:rect fill='x'>", "<o:p>", "<!-- <p> -->", "<script>'<p>'</script>", "<p", "<p class='",
        "</style>", "<svg><path/></svg>", "text",
    ]
)  # fmt: skip
DOCUMENTS = st.lists(PIECES | SHEETS.map(lambda sheet: f"<style>{sheet}</style>"), max_size=14).map(
    "".join
)
ANYTHING = st.text(alphabet="<>/={}:;.#'\" stylepab*@!-\0\ud800", max_size=80)


def without_styles(html: str) -> str:
    """A document less its style elements and style attributes, and what we wrote into tags."""
    document = read(html)
    pieces = {
        piece: ""
        for each in style_elements(document)
        for piece in (each.opening, each.content, each.closing)
        if piece is not None
    }
    for number, name in enumerate(document.names):
        tag = document.tag(number)
        for marked in ("style", "data-smtpeter-no-inline"):
            found = attribute(tag, marked)
            if found is not None and name[0] != "/":
                tag = tag[: found.start].rstrip("\t\n\f\r ") + tag[found.end :]
        pieces.setdefault(2 * number + 1, tag)
    return str(document.changed(pieces))


class UntouchedTests(SynchronousTestCase):
    """What is not styled stays as it was."""

    def test_same(self) -> None:
        """Without style sheets the very same text comes back."""
        html = "<p style='color:red'>text</p>"
        self.assertIs(html, Inliner().inline(html))

    def test_source(self) -> None:
        """Doctype, template tags, comments, VML, entities and quotes stay as they are."""
        before = (
            "<!doctype HTML>\r\n<HTML xmlns:v='urn:x'><Head></Head><BODY bgColor=#fff>"
            "<!--[if mso]><v:rect><p style='x'><![endif]--><![if !mso]>{{a}}<![endif]>"
            "<TD noWrap\n width = 5 >&nbsp;&euro 1 < 2 <% if (a > b) { %> *|X|* [[y]] <br/></td>"
        )
        after = Inliner().inline(before.replace("</Head>", "<style>td{color:red}</style></Head>"))
        self.assertEqual(before.replace("width = 5 >", 'width = 5 style="color:red" >'), after)

    @settings(max_examples=300)
    @given(DOCUMENTS)
    def test_outside(self, html: str) -> None:
        """Whatever the document, it changes in style attributes and style elements only."""
        self.assertEqual(without_styles(html), without_styles(Inliner().inline(html)))

    @settings(max_examples=300)
    @given(DOCUMENTS)
    def test_twice(self, html: str) -> None:
        """What is known of a sheet from one document does not change another."""
        inliner = Inliner()
        inliner.inline("<style>p{color:red}</style><p class=a><table><td>")
        inliner.inline(html + "<p id=b class='a x'>")
        self.assertEqual(Inliner().inline(html), inliner.inline(html))

    @given(ANYTHING | ANYTHING.map(lambda text: f"<style>{text}</style><p class=a style='{text}'>"))
    def test_anything(self, html: str) -> None:
        """Whatever the text, a text comes back."""
        self.assertIsInstance(Inliner().inline(html, presentational=True), str)

    def test_again(self) -> None:
        """A document that was inlined completely stays as it is."""
        inliner = Inliner()
        once = inliner.inline("<style>p{color:red}</style><p>")
        self.assertIs(once, inliner.inline(once))


class StyleElementTests(SynchronousTestCase):
    """Which style elements are read, and what becomes of them."""

    def inline(self, html: str) -> str:
        return Inliner().inline(f"<!DOCTYPE html>{html}").removeprefix("<!DOCTYPE html>")

    def test_removed(self) -> None:
        """One that was inlined completely goes, wherever it is."""
        self.assertEqual(
            '<p style="color:red;margin:0">',
            self.inline("<style>p{color:red}</style><p><STYLE TYPE='text/css'>p{margin:0}</STYLE>"),
        )

    def test_several(self) -> None:
        """Several are one cascade, and each keeps what stays of it."""
        self.assertEqual(
            '<style>i:hover{top:0}</style><p style="color:blue">',
            self.inline("<style>i:hover{top:0}p{color:red}</style><style>p{color:blue}</style><p>"),
        )

    def test_media(self) -> None:
        """Those for all and for screens are inlined, others stay."""
        for media in ("all", "SCREEN", ""):
            html = f"<style media='{media}'>p{{color:red}}</style><p>"
            self.assertEqual('<p style="color:red">', self.inline(html))
        html = "<style media=print>p{color:red}</style><p>"
        self.assertEqual(html, self.inline(html))

    def test_type(self) -> None:
        """What is no CSS is left alone."""
        html = "<style type=text/less>p{color:red}</style><p>"
        self.assertEqual(html, self.inline(html))

    def test_in_comments(self) -> None:
        """Those in conditional comments are left alone."""
        comment = "<!--[if mso]><style>p{margin:0}</style><![endif]-->"
        self.assertEqual(
            f'{comment}<p style="color:red">',
            self.inline(f"<style>p{{color:red}}</style>{comment}<p>"),
        )

    def test_marked(self) -> None:
        """One that is marked is left alone, less the mark."""
        self.assertEqual(
            "<style>p{color:red}</style><p>",
            self.inline("<style data-smtpeter-no-inline>p{color:red}</style><p>"),
        )

    def test_hidden(self) -> None:
        """The marks of an HTML comment around a sheet, or of a charset before it, do not matter."""
        for text in (
            "<!-- %s -->",
            "\n<!--\n%s\n-->\n",
            "@charset 'x';%s",
            "/*<![CDATA[*/%s/*]]>*/",
        ):
            html = f"<style>{text % 'p{color:red}'}</style><p>"
            self.assertEqual('<p style="color:red">', self.inline(html), text)

    def test_link(self) -> None:
        """Sheets that are elsewhere are not asked for."""
        html = "<link rel=stylesheet href='http://192.0.2.1/x.css'><style>@import 'x';</style><p>"
        with mock.patch.object(cssutils.util, "_readUrl", side_effect=AssertionError):
            self.assertEqual(html, self.inline(html))


class ElementTests(SynchronousTestCase):
    """Which elements get styles."""

    def inline(self, html: str) -> str:
        return Inliner().inline(f"<!DOCTYPE html>{html}").removeprefix("<!DOCTYPE html>")

    def test_marked(self) -> None:
        """One that is marked gets none, and loses the mark; those in it get theirs."""
        self.assertEqual(
            '<p class=a><b style="color:red">',
            self.inline("<style>p,b{color:red}</style><p data-smtpeter-no-inline class=a><b>"),
        )

    def test_mark_alone(self) -> None:
        """The mark goes also where there are no styles."""
        self.assertEqual("<p>", self.inline("<p data-smtpeter-no-inline>"))
        self.assertEqual(
            "<style>a:hover{top:0}</style><p>",
            self.inline("<style>a:hover{top:0}</style><p data-smtpeter-no-inline>"),
        )

    def test_in_head(self) -> None:
        """What is never shown gets none."""
        html = "<html><head><title>x</title><meta name=x><style>*{margin:0}</style></head><body>"
        self.assertEqual(
            '<html style="margin:0"><head><title>x</title><meta name=x></head>'
            '<body style="margin:0">',
            self.inline(html),
        )

    def test_without_start_tag(self) -> None:
        """A rule for an element that the source does not write stays."""
        self.assertEqual(
            "<style>body{color:red}</style><p>", self.inline("<style>body{color:red}</style><p>")
        )

    def test_presentational(self) -> None:
        """On demand the styles are attributes as well."""
        self.assertEqual(
            '<td style="width:5px" width="5">',
            Inliner().inline("<style>td{width:5px}</style><td>", presentational=True),
        )
        self.assertEqual(
            '<img style="width:5px" width="5">',
            Inliner().inline('<img style="width:5px">', presentational=True),
        )


class BlankTests(SynchronousTestCase):
    """What separates words, and what only looks like it."""

    def inline(self, css: str, body: str) -> str:
        head = f"<!DOCTYPE html><html><head><style>{css}</style></head><body>"
        return Inliner().inline(head + body).partition("<body>")[2]

    def test_no_blanks(self) -> None:
        """A no-break space belongs to the word that it stands in."""
        for css, body in (
            (".a{color:red}", '<p class="a\u00a0b">x'),
            (".a\u00a0.b{color:red}", "<p class=a><b class=b>x</b>"),
            ("[class~=b]{color:red}", '<p class="a\u3000b">x'),
        ):
            self.assertEqual(body, self.inline(css, body), css)
        self.assertEqual('<p style="top:0">x', self.inline("p{top:0}\u00a0p{color:red}", "<p>x"))
        self.assertEqual('<p style="\u00a0top:0">x', self.inline("p{\u00a0top:0}", "<p>x"))

    def test_byte_order_mark(self) -> None:
        """It is no text: the document begins behind it."""
        html = "\ufeff<!DOCTYPE html><html><head>{}</head><body><p class=foo>x</p></body></html>"
        css = "<style>.Foo{color:red} head+body>p{top:0}</style>"
        self.assertEqual(
            html.format("").replace("<p class=foo>", '<p class=foo style="top:0">'),
            Inliner().inline(html.format(css)),
        )


class TooInvolvedTests(SynchronousTestCase):
    """Documents made to take all time and memory."""

    def test_growth(self) -> None:
        """Styles that would make a document many times as long are not inlined."""
        sheet = "p{" + ";".join(f"a{number}:b" for number in range(500)) + "}"
        html = f"<style>{sheet}</style>" + "<p>" * 1000
        self.assertRaises(TooInvolved, Inliner().inline, html)
        self.assertEqual(10, Inliner().inline(html[:-2970]).count("style="))

    def test_questions(self) -> None:
        """So it is where very much is asked about each of very many elements."""
        for selector in ("p:nth-child({}n)", "[a{}]"):
            sheet = "".join(f"{selector.format(number)}{{top:0}}" for number in range(2, 400))
            html = f"<style>{sheet}</style>" + "<p>" * 1000
            self.assertRaises(TooInvolved, Inliner().inline, html)

    def test_many_of_each(self) -> None:
        """Many declarations, rivals, sheets and end tags that end nothing are no more than many."""
        count = 2000
        numbers = range(count)
        many = ";".join(f"a{number}:b" for number in numbers)
        rules = "".join(f"p{{a{number}:b}}" for number in numbers)
        rivals = "".join(f"p{{a{number}:b!important}}p:hover{{a{number}:c}}" for number in numbers)
        important = many.replace(":b", ":b!important")
        for html, last in (
            (f"<style>p{{{many}}}</style><p style='{many}'>", f"<p style='{many}'>"),
            (f"<style>{rules}</style><p>", f'<p style="{many}">'),
            (f"<style>{rivals}</style><p>", f'</style><p style="{important}">'),
            ("<style>p{a:b}p:hover{a:c}</style>" * count + "<p>", '</style><p style="a:b">'),
            ("<style>p{a:b}</style>" + "<div>" * count + "</b>" * count + "<p>", '<p style="a:b">'),
        ):
            self.assertEqual(last, Inliner().inline(html)[-len(last) :])


class MemoryTests(SynchronousTestCase):
    """What is remembered of sheets."""

    def test_bounded(self) -> None:
        """No more is remembered than allowed, whatever is inlined."""
        most = 100_000
        inliner = Inliner(most)
        for number in range(60):
            html = f"<style>.a{number}{{color:red}}</style>" + "".join(
                f"<p class='a{number} b{other}' style='top:{other}px'>" for other in range(30)
            )
            self.assertEqual(30, len(re.findall("color:red", inliner.inline(html))))
        known = inliner._known.values()
        self.assertGreater(len(known), 0)
        self.assertLessEqual(sum(each.octets for each in known), most)

    def test_too_little(self) -> None:
        """Where nothing can be remembered, all is inlined as well."""
        html = "<style>p>b{color:red}</style><p><b>"
        inliner = Inliner(0)
        for _ in range(2):
            self.assertEqual('<p><b style="color:red">', inliner.inline(html))

    def test_oldest(self) -> None:
        """What was not used for longest is forgotten first."""
        inliner = Inliner(3000)
        sheets = [f"<style>.a{number}{{color:red}}</style><p>" for number in range(40)]
        for sheet in sheets:
            inliner.inline(sheets[0])
            inliner.inline(sheet)
        known = {key[2][0].text for key in inliner._known}
        self.assertIn(".a0{color:red}", known)
        self.assertNotIn(".a1{color:red}", known)
