from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform import weburl
from smtpeter.transform.identifier import NUMBERS
from smtpeter.transform.links import LONGEST_URL, Link, names_target, rewrite_links
from smtpeter.transform.markup import read
from smtpeter.transform.starttag import attribute, attribute_value
from tests.transform.test_tokens import MARKUP
from tests.transform.urls import UNRESOLVED, URLS

NEW = "https://clicks.example/new?a=1&b='2'"
NEW_WRITTEN = "https://clicks.example/new?a=1&amp;b='2'"


def rewritten(html: str, *, preventscam: bool = False, leave: Iterable[str] = ()) -> str:
    """The document, each link led to the same new place; N stands for that in the result."""
    changed = str(rewrite_links(read(html), lambda _: NEW, preventscam=preventscam, leave=leave))
    return changed.replace(NEW_WRITTEN, "N").replace(NEW_WRITTEN.replace("'", "&#39;"), "N")


def found(html: str, first: int = 0) -> list[Link]:
    """The links of a document."""
    links: list[Link] = []

    def note(link: Link) -> None:
        links.append(link)

    rewrite_links(read(html), note, preventscam=True, leave=(), first=first)
    return links


def link_to(href: str, label: str) -> Link:
    """A link with a label."""
    url = weburl.parse(href)
    assert url
    return Link(0, url, label)


class RewriteTests(SynchronousTestCase):
    """What becomes of a document."""

    def test_value_alone(self) -> None:
        """The value of the attribute changes, and nothing around it."""
        for before, after in (
            ('<a href="https://x.example/">a</a>', '<a href="N">a</a>'),
            ("<A\n HREF = 'https://x.example/' id=b>a</A >", "<A\n HREF = 'N' id=b>a</A >"),
            ("<a href=https://x.example/>a</a>", '<a href="N">a</a>'),
            ("<a href= https://x.example/ b>a</a>", '<a href= "N" b>a</a>'),
            ("<a/href='https://x.example/'b>a</a>", "<a/href='N'b>a</a>"),
            ('<a href=" https://x.example/&#10;">a</a>', '<a href="N">a</a>'),
            ('<a href="https&#58;//x.example/?a&amp;b">a</a>', '<a href="N">a</a>'),
            ('<map><area href="https://x.example/" /></map>', '<map><area href="N" /></map>'),
            (
                "<a href='https://x.example' href='https://y.example'>",
                "<a href='N' href='https://y.example'>",
            ),
            ("<a title='>' href=HTTP://X.EXAMPLE>a", "<a title='>' href=\"N\">a"),
        ):
            self.assertEqual(after, rewritten(before), before)

    def test_no_links(self) -> None:
        """Other elements, other attributes, comments, scripts and text stay as they are."""
        for html in (
            '<img src="https://x.example/">',
            '<link href="https://x.example/">',
            '<form action="https://x.example/"><button formaction="https://x.example/">',
            '<base href="https://x.example/">',
            '<area src="https://x.example/">',
            '<a title="https://x.example/" name=b>https://x.example/</a>',
            '<a data-href="https://x.example/" xlink:href="https://x.example/">',
            '<!-- <a href="https://x.example/"> -->',
            '<!--[if mso]><a href="https://x.example/"><![endif]-->',
            '<script>"<a href=https://x.example/>"</script>',
            '<style>a[href="https://x.example/"] {}</style>',
            '<abbr href="https://x.example/">',
            '</a href="https://x.example/">',
            '<a href="https://x.example/',
        ):
            document = read(html)
            same = rewrite_links(document, lambda _: NEW, preventscam=False, leave=())
            self.assertIs(document, same)

    def test_conditional(self) -> None:
        """What others than Outlook see is rewritten."""
        html = "<![if !mso]><a href='https://x.example/'><![endif]>"
        self.assertEqual("<![if !mso]><a href='N'><![endif]>", rewritten(html))

    def test_corpus(self) -> None:
        """Every address of the web is rewritten, every other is left as it stands."""
        for href, requested in URLS:
            html = f"<a href={attribute_value(href)}>a</a>"
            expected = html if requested is None else '<a href="N">a</a>'
            self.assertEqual(expected, rewritten(html).replace("href='N'", 'href="N"'), repr(href))

    def test_url(self) -> None:
        """A link says where it leads, references decoded once."""
        (link,) = found("<a href='https://x.example/?a=1&amp;b=2&copy=3&amp;amp;c=4'>")
        self.assertEqual("https://x.example/?a=1&b=2&copy=3&amp;c=4", str(link.url))

    def test_unresolved(self) -> None:
        """An address with a tag of some template language in it is left as it stands."""
        for href in UNRESOLVED:
            html = f"<a href='{href}'>a</a>"
            self.assertEqual(html, rewritten(html))

    def test_template_delimiters(self) -> None:
        """Braces and brackets that make no template tag are part of an address."""
        for path in ("{a}", "}}{{", "{{", "a[b[0]]", "*|", "%a%"):
            self.assertEqual("<a href='N'>", rewritten(f"<a href='https://x.example/{path}'>"))

    def test_too_long(self) -> None:
        """What is too long for a request stays."""
        html = "<a href='https://x.example/{}'>"
        self.assertEqual("<a href='N'>", rewritten(html.format("a" * (LONGEST_URL - 30))))
        for part in ("a" * LONGEST_URL, "\u65e5" * (LONGEST_URL // 3), "{{" * 4_000_000):
            self.assertEqual(html.format(part), rewritten(html.format(part)))

    def test_let_be(self) -> None:
        """Whoever rewrites may let a link be."""
        html = "<a href='https://x.example/1'><a href='https://x.example/2'>"
        changed = rewrite_links(
            read(html), lambda link: NEW if link.number else None, preventscam=False, leave=()
        )
        expected = html.replace("https://x.example/2", attribute_value(NEW, "'"))
        self.assertEqual(expected, str(changed))

    def test_leave(self) -> None:
        """Named addresses stay, however they are written, and all links to named hosts."""
        leave = ["https://X.example/leave?a&b", "https://x.example", "own.example"]
        for href, stays in (
            ("https://x.example/leave?a&amp;b", True),
            ("HTTPS://x.example:443/./leave?a&b#c", True),
            ("https://x.example/", True),
            ("http://OWN.example:8080/any", True),
            ("https://x.example/leave", False),
            ("https://x.example/leave?a", False),
            ("http://x.example/leave?a&b", False),
            ("https://an.own.example/", False),
        ):
            html = f"<a href='{href}'>"
            expected = html if stays else "<a href='N'>"
            self.assertEqual(expected, rewritten(html, leave=leave), href)

    def test_opt_out(self) -> None:
        """A link that does not want to be tracked stays, and the attribute that says so goes."""
        for before, after in (
            (
                "<a data-smtpeter-no-track href='https://x.example/'>",
                "<a href='https://x.example/'>",
            ),
            (
                "<a href='https://x.example/' DATA-SMTPETER-NO-TRACK=1>",
                "<a href='https://x.example/'>",
            ),
            (
                "<area href=https://x.example/ data-smtpeter-no-track>",
                "<area href=https://x.example/>",
            ),
            ("<a data-smtpeter-no-track href='#a'>", "<a href='#a'>"),
            (
                "<a href='https://x.example/' data-smtpeter-no-tracking>",
                "<a href='N' data-smtpeter-no-tracking>",
            ),
        ):
            self.assertEqual(after, rewritten(before), before)

    def test_numbers(self) -> None:
        """Links to the web are counted in order, those that stay as well, others are not."""
        html = (
            "<a href='https://x.example/'>a</a><a href='#a'>b</a><a href='https://x.example/'>c</a>"
            "<a data-smtpeter-no-track href='https://x.example/'>d</a>"
            "<area href='https://y.example/'>"
        )
        numbers = [(link.number, str(link.url)) for link in found(html, first=5)]
        x, y = "https://x.example/", "https://y.example/"
        self.assertEqual([(5, x), (6, x), (8, y)], numbers)

    def test_too_many(self) -> None:
        """Links beyond what an identifier can number stay."""
        html = "<a href='https://x.example/'>" * 3
        self.assertEqual(
            [NUMBERS - 2, NUMBERS - 1], [each.number for each in found(html, NUMBERS - 2)]
        )

    def test_labels(self) -> None:
        """The label is the text up to the end of the link, or to the next one."""
        html = (
            "<a href='https://x.example/1'> <b>a</b>&amp;<!-- x --> b\n</a>c"
            "<a href='https://x.example/2'><img alt='d'><a href='https://x.example/3'>e"
        )
        self.assertEqual([" a& b\n", "", "e"], [link.label for link in found(html)])

    @given(st.lists(MARKUP, min_size=1, max_size=4))
    def test_outside(self, pieces: list[str]) -> None:
        """Whatever stands around them, all links that browsers see change, and nothing else."""
        old = "https://x.example/"
        html = f"<a href='{old}'>".join(pieces)
        document = read(html)
        links = [attribute(document.tag(number), "href") for number, _ in document.tags({"a"})]
        seen = [href.value for href in links if href]
        changed = rewritten(html)
        self.assertEqual(seen.count(old), changed.count("'N'"))
        self.assertEqual(html, changed.replace("'N'", f"'{old}'"))


class PreventScamTests(SynchronousTestCase):
    """Links whose label names where they lead."""

    def test_same(self) -> None:
        """The label is the address, or an address or name of its host."""
        for href, label in (
            ("http://www.example.com", "www.example.com"),
            ("http://www.example.com/", "http://www.example.com"),
            ("https://www.example.com", "http://www.example.com/"),
            ("https://www.example.com/a?b=c", "https://www.example.com/a?b=c"),
            ("https://www.example.com/a", " WWW.Example.COM/a/ \n"),
            ("https://www.shop.example/new", "www.shop.example"),
            ("https://www.shop.example/new", "https://www.shop.example/old"),
            ("https://www.shop.example:8443/new", "www.shop.example"),
            ("https://www.xn--bcher-kva.example/", "www.b\u00fccher.example"),
            ("https://www.example.com/", "www.\u200bexample\u00ad.com"),
            ("https://www.example.com./", "www.example.com"),
            ("https://192.0.2.7/a", "192.0.2.7"),
        ):
            self.assertTrue(names_target(link_to(href, label)), (href, label))

    def test_another(self) -> None:
        """The label is something else, or names another host."""
        for href, label in (
            ("https://www.example.com", "our shop"),
            ("https://www.example.com", ""),
            ("https://www.example.com", "www.other.example"),
            ("https://www.example.com", "example.com"),
            ("https://www.example.com", "https://www.example.com.evil.example/"),
            ("https://www.example.com", "visit www.example.com"),
            ("https://www.example.com", "kees@www.example.com"),
            ("https://www.example.com", "mailto:kees@www.example.com"),
            ("https://www.example.com", "ftp://www.example.com"),
            ("https://www.example.com/a", "/a"),
        ):
            self.assertFalse(names_target(link_to(href, label)), (href, label))

    def test_switch(self) -> None:
        """Such links stay where that is asked for, and are rewritten where it is not."""
        html = "<a href='http://www.example.com'><b>www.<i>example</i></b>&period;com</a>"
        self.assertEqual(html, rewritten(html, preventscam=True))
        self.assertNotEqual(html, rewritten(html))
        other = "<a href='http://www.example.com'>www.example.org</a>"
        self.assertEqual("<a href='N'>www.example.org</a>", rewritten(other, preventscam=True))
