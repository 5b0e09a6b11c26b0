from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.parts import parse
from smtpeter.transform.identifier import Identifiers
from smtpeter.transform.markup import read
from smtpeter.transform.trackedurl import resolve
from smtpeter.transform.webversion import (
    PLACEHOLDER,
    fill_in_html,
    fill_in_text,
    text_page,
    text_parts,
    webversion_url,
)

URL = "https://clicks.shop.example/webversion/Qe3VtB71xKpA9"

FILLED_IN = (
    "<a href='{$webversion}'>x</a>",
    '<A HREF="{$webversion}">{$webversion}</A>',
    "<a href={$webversion}>x</a>",
    '<a href="%7B$webversion%7D">x</a>',
    '<a href="%7b%24webversion%7d">x</a>',
    '<a href="{%24webversion}">x</a>',
    '<a title="{$webversion}" href="%7B$webversion}">x</a>',
    '<area href="%7B%24webversion%7D">',
    "<p>{$webversion}</p>",
    "<!--[if mso]><v:rect href='{$webversion}'/><![endif]-->",
    "{$webversion}{$webversion}",
)

LEFT = (
    "<p>%7B$webversion%7D</p>",
    '<img alt="%7B%24webversion%7D">',
    "<p>{webversion} {$WebVersion} { $webversion } $webversion</p>",
    "<a href='{$webversions}'>x</a>",
    "<a href='https://x.example/webversion'>x</a>",
    "",
)

HTML = st.lists(
    st.sampled_from(
        [*FILLED_IN, *LEFT, *"<>'\"{}$% \u20ac\0", "\r\n", "{{x}}", "&nbsp;", "<a href="]
    )
).map("".join)


def plain(html: str) -> str:
    """A text with nothing percent-encoded of what may stand in a placeholder."""
    for written, meant in (("%7b", "{"), ("%7B", "{"), ("%24", "$"), ("%7d", "}"), ("%7D", "}")):
        html = html.replace(written, meant)
    return html


def filled(html: str, url: str = URL) -> str:
    """A document with the address in it."""
    return str(fill_in_html(read(html), url))


class FillInTests(SynchronousTestCase):
    """The address of the web version in a message."""

    def test_html(self) -> None:
        """It is written wherever the placeholder stands, in links percent-encoded or not."""
        for before in FILLED_IN:
            expected = plain(before).replace(PLACEHOLDER, URL)
            self.assertEqual(expected, filled(before))

    def test_left(self) -> None:
        """What only resembles the placeholder stays as it is."""
        for html in LEFT:
            self.assertEqual(html, filled(html))

    def test_escaped(self) -> None:
        """An address is written as HTML has it."""
        self.assertEqual(
            '<a href="/?a&amp;b">/?a&amp;b</a>',
            filled('<a href="%7B$webversion%7D">{$webversion}</a>', "/?a&b"),
        )

    def test_text(self) -> None:
        """Plain text has the address as it is, and nothing percent-encoded."""
        self.assertEqual(
            f"See {URL} or %7B$webversion%7D",
            fill_in_text("See {$webversion} or %7B$webversion%7D", URL),
        )

    @given(HTML)
    def test_outside(self, html: str) -> None:
        """Whatever the text, no placeholder is left in it, and all else is as it was."""
        after = filled(html)
        self.assertNotIn(PLACEHOLDER, after)
        self.assertEqual(plain(html), plain(after.replace(URL, PLACEHOLDER)))

    def test_address(self) -> None:
        """The address resolves to its message."""
        identifiers = Identifiers(b"k" * 32)
        url = webversion_url(
            "https://clicks.shop.example", identifiers.make("m" * 16, "webversion", 0, 0)
        )
        target = url.removeprefix("https://clicks.shop.example").encode()
        resolved = resolve(target, identifiers.read)
        assert resolved is not None
        self.assertEqual("webversion", resolved.identified.kind)
        self.assertEqual("m" * 16, resolved.identified.message_id)


class TextPartsTests(SynchronousTestCase):
    """The plain text of a message."""

    def test_attachments(self) -> None:
        """Text that is a file of its own does not belong to the message."""
        root = parse(
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
            b"--b\r\n\r\n1\r\n"
            b"--b\r\nContent-Type: text/html\r\n\r\n2\r\n"
            b"--b\r\nContent-Disposition: attachment\r\n\r\n3\r\n"
            b"--b\r\nContent-Disposition: inline; filename=x.txt\r\n\r\n4\r\n"
            b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n5\r\n"
            b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n6\r\n"
            b"--b--\r\n"
        )
        self.assertEqual([root.children[0], root.children[5]], text_parts(root))


class Reader(HTMLParser):
    """Reads what a page shows in its `pre`."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []
        self._within = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._within = tag == "pre"

    def handle_data(self, data: str) -> None:
        if self._within:
            self.shown.append(data)

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._within = False


class PageTests(SynchronousTestCase):
    """The page of a message without HTML."""

    @given(st.text(st.characters(exclude_characters="\r", codec="utf-8")))
    def test_text(self, text: str) -> None:
        """It shows every character of the text, whatever stands in it."""
        reader = Reader()
        reader.feed(text_page(text, title=text))
        reader.close()
        # The line end behind the start tag is none of the text (WHATWG HTML 13.2.6.4.7).
        self.assertEqual("\n" + text, "".join(reader.shown))

    def test_harmless(self) -> None:
        """Markup in the text is no markup of the page."""
        page = text_page("<script>x</script>", title="</title><script>")
        self.assertNotIn("<script", page)
