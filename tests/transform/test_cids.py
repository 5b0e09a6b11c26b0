from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.cids import Reference, mentions, references, with_addresses
from smtpeter.transform.markup import read

URL = "https://img.example/a(b)?c=1&d='2'"

REWRITTEN = (
    ('<img src="cid:a@x">', '<img src="{}">'),
    ("<IMG SRC='CID:a@x'>", "<IMG SRC='{}'>"),
    ("<img src = cid:a@x alt=x>", "<img src = {} alt=x>"),
    ('<img src=" cid:a@x\n">', '<img src="{}">'),
    ('<img src="cid:a%40x">', '<img src="{}">'),
    ('<img src="cid&#58;a&#64;x"><!-- cid:b -->', '<img src="{}"><!-- cid:b -->'),
    ('<body background="cid:a@x">', '<body background="{}">'),
    ("<td background=cid:a@x>", "<td background={}>"),
    ('<p style="background:url(cid:a@x)">', '<p style="background:url({})">'),
    ("<p style=\"background: URL( 'cid:a@x' ) red\">", "<p style=\"background: URL( '{}' ) red\">"),
    ("<p style='background:url(\"cid:a@x\")'>", "<p style='background:url(\"{}\")'>"),
    (
        '<p style="background:url(&quot;cid:a@x&quot;)">',
        '<p style="background:url(&quot;{}&quot;)">',
    ),
    ('<p style="background:url(&#39;cid:a@x&#x27;)">', '<p style="background:url(&#39;{}&#x27;)">'),
    ("<p style=background:url(cid:a%40x)>", "<p style=background:url({})>"),
    (
        '<p style="a:url(cid:a@x);b:url(cid:a@x)">',
        '<p style="a:url({});b:url({})">',
    ),
)

LEFT = (
    '<img src="cid:b@x">',
    '<img src="https://x.example/cid:a@x">',
    '<img src="cid">',
    '<img alt="cid:a@x">',
    '<img srcset="cid:a@x">',
    '<a href="cid:a@x">x</a>',
    "<!-- <img src='cid:a@x'> -->",
    "<!--[if mso]><v:fill src='cid:a@x'/><![endif]-->",
    "<script>x = '<img src=\"cid:a@x\">'</script>",
    "<textarea><img src='cid:a@x'></textarea>",
    "<p>url(cid:a@x)</p>",
    "</td background='cid:a@x'>",
    '<p style="background:url(https://x.example/)">cid:a@x',
    "<style>p { background: url(cid:a@x",
)

HTML = st.lists(
    st.sampled_from(
        [
            *(before for before, _ in REWRITTEN),
            *LEFT,
            "<style>p { background: url(cid:a@x) }</style>",
            "</style>",
            "<style>",
            "-->",
            "<",
            '"',
            "\u20ac",
            "<p>\r\n",
        ]
    )
).map("".join)


def address(reference: Reference) -> str | None:
    """An address for one part, and none for others."""
    return URL if "a@x" in reference.content_ids() else None


def written(html: str) -> str:
    """A text with addresses in it."""
    document = read(html)
    return str(with_addresses(document, references(document), address))


class ReferencesTests(SynchronousTestCase):
    """Addresses of parts in HTML."""

    def test_rewritten(self) -> None:
        """Images, backgrounds and style attributes get the address, and nothing else changes."""
        escaped = "https://img.example/a%28b%29?c=1&amp;d=%272%27"
        for before, after in REWRITTEN:
            self.assertEqual(after.replace("{}", escaped), written(before))

    def test_style_element(self) -> None:
        """A style sheet gets the address without character references: it knows none."""
        for before in (
            "<style>p { background: url(cid:a@x) }</style>",
            "<STYLE type='text/css'>\np{background:url( 'cid:a@x' )}/* x */</STYLE><p>",
            '<style>a{b:url("CID:a%40x")}</style>',
        ):
            after = written(before)
            escaped = "https://img.example/a%28b%29?c=1&d=%272%27"
            self.assertIn(escaped, after)
            self.assertIn(after.replace(escaped, "cid:a@x"), before.replace("CID:a%40x", "cid:a@x"))

    def test_left(self) -> None:
        """Other parts, other places and what only looks like a reference stay as they are."""
        for html in LEFT:
            self.assertEqual(html, written(html))

    def test_percent_encoding(self) -> None:
        """A Content-ID that holds a percent sign is found, encoded or not."""
        for written in ("cid:a%2540x", "cid:a%40x"):
            [reference] = references(read(f'<img src="{written}">'))
            self.assertIn("a%40x", reference.content_ids())

    def test_mentions(self) -> None:
        """Addresses are found wherever they stand, with and without their encodings."""
        html = "<!--[if mso]><v:fill src='cid:a%40x'/><![endif]--> [CID:b&amp;c] <a href=cid:d>"
        for content_id in ("a@x", "a%40x", "b&c]", "d"):
            self.assertIn(content_id, mentions(html))

    def test_speed(self) -> None:
        """Long runs of what nearly is a reference are read once."""
        for piece in ("url(", "url( ", "cid:", "url(&quot", "<p style='url(cid:", "&"):
            list(references(read("<p style='cid:" + piece * 20_000)))
            list(references(read("<p style='cid:" + piece * 20_000 + "'>")))

    @given(HTML)
    def test_outside(self, html: str) -> None:
        """Whatever the text, it changes only where references stand."""
        document = read(html)
        found = list(references(document))
        after = with_addresses(document, found, lambda _: "")
        for number, piece in enumerate(document.pieces):
            spans = [(each.start, each.end) for each in found if each.piece == number]
            starts, ends = [start for start, _ in spans], [end for _, end in spans]
            kept = zip([0, *ends], [*starts, len(piece)], strict=True)
            expected = "".join(piece[start:end] for start, end in kept)
            self.assertEqual(expected, after.pieces[number])
        self.assertIs(document, with_addresses(document, found, lambda _: None))
