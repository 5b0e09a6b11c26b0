from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform import weburl
from smtpeter.transform.identifier import NUMBERS, Identifiers
from smtpeter.transform.markup import Document, read
from smtpeter.transform.opens import Image, pixel_url, rewrite_images, with_pixel
from smtpeter.transform.starttag import attribute, attributes
from smtpeter.transform.trackedurl import resolve, tracked_url

BASE = "https://clicks.shop.example"
IDENTIFIERS = Identifiers(b"k" * 32)

# The source, the path and query that is asked for, the path with which it is tracked.
ADDRESSES = (
    ("https://shop.example/i/box.png", "/i/box.png", "/i/box-{}.png"),
    ("HTTP://SHOP.example/i/box.JPEG?w=3&amp;h=4#x", "/i/box.JPEG?w=3&h=4", "/i/box-{}.JPEG"),
    ("https://shop.example/render", "/render", "/render-{}"),
    ("https://shop.example/v1.2/render", "/v1.2/render", "/v1.2/render-{}"),
    ("https://shop.example", "/", "/{}"),
    ("https://shop.example/i/", "/i/", "/i/{}"),
    ("https://shop.example/a.tar.gz", "/a.tar.gz", "/a.tar-{}.gz"),
    ("https://shop.example/a-b.c-d", "/a-b.c-d", "/a-b.c-d-{}"),
    ("https://shop.example/.gif", "/.gif", "/{}.gif"),
    ("https://shop.example/a\u00e9 b.png", "/a%C3%A9%20b.png", "/a%C3%A9%20b-{}.png"),
    ("https://shop.example/a.php;s=1?u=http://x/y.png", "/a.php;s=1?u=http://x/y.png", None),
)

LEFT = (
    "<p>no image</p>",
    "<img>",
    "<img src>",
    '<img src="">',
    '<img src="cid:box@shop.example">',
    '<img src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP">',
    '<img src="/i/box.png">',
    '<img src="i/box.png">',
    '<img src="//shop.example/i/box.png">',
    '<img src="ftp://shop.example/i/box.png">',
    '<img src="https://shop.example/{{box}}.png">',
    '<img srcset="https://shop.example/box.png 2x" alt="https://shop.example/box.png">',
    '<img data-src="https://shop.example/box.png">',
    '<td background="https://shop.example/box.png">',
    '<p style="background:url(https://shop.example/box.png)">',
    '<a href="https://shop.example/box.png">https://shop.example/box.png</a>',
    '<input type="image" src="https://shop.example/box.png">',
    '<!-- <img src="https://shop.example/box.png"> -->',
    '<!--[if mso]><img src="https://shop.example/box.png"><![endif]-->',
    "<script>x = '<img src=\"https://shop.example/box.png\">'</script>",
    '<style>p:after { content: "<img src=https://shop.example/box.png>" }</style>',
    '<textarea><img src="https://shop.example/box.png"></textarea>',
    '</img src="https://shop.example/box.png">',
)

# Texts without an image, and where the invisible one goes.
PIXELS = (
    ("<html><body><p>x</p></body></html>\r\n", "<html><body><p>x</p>@</body></html>\r\n"),
    ("<p>x</p></BODY >\r\n", "<p>x</p>@</BODY >\r\n"),
    ("<p>x</p></html>", "<p>x</p>@</html>"),
    ("<p>x</p>\r\n", "<p>x</p>\r\n@"),
    ("x", "x@"),
    ("", "@"),
    ("<body>1</body><body>2</body></html>", "<body>1</body><body>2@</body></html>"),
    ("<p>x<!--[if mso]></body><![endif]--></p>", "<p>x<!--[if mso]></body><![endif]--></p>@"),
    ("<p>x</p><!-- </body> -->", "<p>x</p><!-- </body> -->@"),
    ("<p>x</p><script>'</body>'</script>", "<p>x</p><script>'</body>'</script>@"),
    ("<style>/*</body>*/</style>x</body>", "<style>/*</body>*/</style>x@</body>"),
    ("<textarea></body></textarea>", "<textarea></body></textarea>@"),
    ("<p>x</p><textarea></body>", "<p>x</p>@<textarea></body>"),
    ("<p>x</p><!-- </body>", "<p>x</p>@<!-- </body>"),
    ("<!-- </body>", "@<!-- </body>"),
    ("<p>x</p>y <a href='</body>", "<p>x</p>@y <a href='</body>"),
    ("<style>p {}", "@<style>p {}"),
    ("<style>p {}</style><style>q {}", "<style>p {}</style>@<style>q {}"),
    ("<style>p {}</style><!--", "<style>p {}</style>@<!--"),
    ("<svg><g><![CDATA[ > ", "<svg><g>@<![CDATA[ > "),
)

HTML = st.lists(
    st.sampled_from(
        [
            *LEFT,
            *(before for before, _ in PIXELS),
            "<IMG alt=\"x\"\r\n src='https://shop.example/box.png'/>",
            "<img src=http://shop.example/box.png?a=1&amp;b=2 data-smtpeter-no-track>",
            "<img data-smtpeter-no-track='' src=https://shop.example/>",
            *"<>'\"-!/ = \u20ac\0",
            "<![if !mso]>",
            "<![endif]>",
            "{{x}}",
            "<%= y %>",
            "*|Z|*",
            "<v:fill src='https://shop.example/'/>",
        ]
    )
).map("".join)


def tracked(image: Image) -> str:
    """The address of ours for an image."""
    identifier = IDENTIFIERS.make("m" * 16, "open", image.number, 1)
    return tracked_url(BASE, image.url, identifier, keep_extension=True)


def sources(document: Document) -> list[str]:
    """What a browser takes for the addresses of images."""
    tags = [document.tag(number) for number, _ in read(str(document)).tags({"img"})]
    return [src.value for tag in tags if (src := attribute(tag, "src"))]


class AddressTests(SynchronousTestCase):
    """The address of a tracked image."""

    def test_form(self) -> None:
        """Path and query stay, the host is ours, the extension stays the last of the path."""
        identifier = IDENTIFIERS.make("m" * 16, "open", 0, 1)
        for source, _, path in ADDRESSES:
            [after] = sources(rewrite_images(read(f'<img src="{source}">'), tracked))
            self.assertTrue(after.startswith(BASE + "/"), after)
            if path:
                self.assertEqual(BASE + path.replace("{}", identifier), after.partition("?")[0])

    def test_resolved(self) -> None:
        """From our address the original comes out again, octet for octet."""
        for source, requested, _ in ADDRESSES:
            [after] = sources(rewrite_images(read(f'<img src="{source}">'), tracked))
            asked_for = after.removeprefix(BASE).partition("#")[0]
            resolved = resolve(asked_for.encode("ascii"), IDENTIFIERS.read)
            assert resolved is not None
            self.assertEqual(requested, resolved.rest)
            self.assertEqual("open", resolved.identified.kind)

    def test_pixel(self) -> None:
        """The address of the invisible image resolves like that of any other."""
        identifier = IDENTIFIERS.make("m" * 16, "open", 0, 0)
        asked_for = pixel_url(BASE, identifier).removeprefix(BASE)
        resolved = resolve(asked_for.encode("ascii"), IDENTIFIERS.read)
        assert resolved is not None
        self.assertEqual(IDENTIFIERS.read(identifier), resolved.identified)


class RewriteTests(SynchronousTestCase):
    """Which images are asked for elsewhere."""

    def test_quotes(self) -> None:
        """The address goes where the old one stood, in its quotes, as an attribute has it."""
        for before, after in (
            ('<img src="https://x.example/">', '<img src="a&amp;b">'),
            ("<IMG\tSRC = 'https://x.example/' ALT>", "<IMG\tSRC = 'a&amp;b' ALT>"),
            ("<img src=https://x.example/ alt=x>", '<img src="a&amp;b" alt=x>'),
            ("<img src=' https://x.example/\n'/>", "<img src='a&amp;b'/>"),
        ):
            self.assertEqual(after, str(rewrite_images(read(before), lambda _: "a&b")))

    def test_left(self) -> None:
        """What is no image from the web stays as it is, and is not asked about."""
        asked: list[Image] = []
        for html in LEFT:
            self.assertEqual(html, str(rewrite_images(read(html), asked.append)))
        self.assertEqual([], asked)

    def test_refused(self) -> None:
        """An image without another address stays as it is."""
        document = read("<img src='https://x.example/'>")
        self.assertIs(document, rewrite_images(document, lambda _: None))

    def test_numbers(self) -> None:
        """Images are counted, the same one twice as two, and those without tracking too."""
        html = (
            '<img src="https://x.example/1"><img src="cid:2">'
            '<img data-smtpeter-no-track src="https://x.example/3"><img src="https://x.example/1">'
        )
        asked: list[Image] = []
        rewrite_images(read(html), asked.append, first=4)
        url = weburl.parse("https://x.example/1")
        assert url is not None
        self.assertEqual([Image(4, url), Image(6, url)], asked)

    def test_too_many(self) -> None:
        """Images that no identifier can count any more stay as they are."""
        asked: list[Image] = []
        rewrite_images(read('<img src="https://x.example/">' * (NUMBERS + 1)), asked.append)
        self.assertEqual(NUMBERS, len(asked))

    def test_opted_out(self) -> None:
        """An image may ask to be left alone, and nobody sees that it did."""
        for before, after in (
            (
                '<img data-smtpeter-no-track src="https://x.example/">',
                '<img src="https://x.example/">',
            ),
            (
                "<img src='https://x.example/'\r\n DATA-smtpeter-no-track='1'>",
                "<img src='https://x.example/'>",
            ),
            ('<img src="cid:a" data-smtpeter-no-track="">', '<img src="cid:a">'),
        ):
            self.assertEqual(after, str(rewrite_images(read(before), tracked)))

    @given(HTML)
    def test_outside(self, html: str) -> None:
        """Whatever the text, it changes only in addresses of images and the wish for none."""
        before = read(html)
        after = rewrite_images(before, lambda _: "https://other.example/")
        self.assertEqual(read(str(after)), after)
        self.assertEqual(after, rewrite_images(after, lambda _: None))
        self.assertEqual(outside_images(before), outside_images(after))


def outside_images(document: Document) -> list[str]:
    """All but the images of a document."""
    images = {2 * number + 1 for number, _ in document.tags({"img"})}
    return [piece for number, piece in enumerate(document.pieces) if number not in images]


class PixelTests(SynchronousTestCase):
    """The invisible image."""

    def test_place(self) -> None:
        """It is the last thing of the body, and never within a comment, a script or the like."""
        image = pixel("")
        for before, after in PIXELS:
            self.assertEqual(after.replace("@", image), pixel(before))

    def test_invisible(self) -> None:
        """It is one pixel large and says nothing to those who have the text read to them."""
        values = {each.name: each.value for each in attributes(pixel(""))}
        self.assertEqual(("1", "1", ""), (values["width"], values["height"], values["alt"]))
        self.assertEqual(f"{BASE}/x.gif", values["src"])

    def test_after_changes(self) -> None:
        """What was taken out of a document before does not matter."""
        for html in (
            "<style>p{}</style><p>Hi</p>",
            "<style></style><p>x</p><textarea>y</textarea> z",
        ):
            document = read(html)
            changed = document.changed({1: "", 2: "", 3: ""})
            self.assertEqual(f"{changed}{pixel('')}", str(with_pixel(changed, f"{BASE}/x.gif")))

    def test_byte_order_mark(self) -> None:
        """It stays the first character."""
        self.assertEqual(f"\ufeff{pixel('')}x <!--", pixel("\ufeffx <!--"))

    @given(HTML)
    def test_any(self, html: str) -> None:
        """Whatever the text, a browser sees the image, and all the rest as before."""
        after = read(pixel(html))
        image = pixel("")
        [added] = [number for number, _ in after.tags({"img"}) if after.tag(number) == image]
        self.assertEqual(html, str(after.changed({2 * added + 1: ""})))


def pixel(html: str) -> str:
    """A text with the invisible image."""
    return str(with_pixel(read(html), f"{BASE}/x.gif"))
