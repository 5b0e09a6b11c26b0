from __future__ import annotations

from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Callable, Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from hashlib import sha256
from typing import NamedTuple

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import Content
from smtpeter.message.parts import Part
from smtpeter.transform.hosting import Hosted, HostedImage, Image, host_images
from smtpeter.transform.markup import Document
from smtpeter.transform.rework import rework
from smtpeter.transform.template import filled
from smtpeter.values import frozen
from tests.transform.mimetrees import Node, multipart, part

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3
BASE = "https://img.example/"


def address(image: Image) -> str:
    """An address for any image."""
    return f"{BASE}{image.sha256[:8]}/{image.address_name}"


def html(text: str, charset: str = "utf-8", encoding: str = "8bit") -> Node:
    """An HTML part."""
    body = text.encode(charset)
    if encoding == "quoted-printable":
        body = b2a_qp(body, istext=False).replace(b"\n", b"\r\n")
    elif encoding == "base64":
        body = encodebytes(body).rstrip().replace(b"\n", b"\r\n")
    return part(f"text/html; charset={charset}", body, f"Content-Transfer-Encoding: {encoding}")


def image(
    content_id: str = "a@x", *, octets: bytes = PNG, name: str = "logo.png", kind: str = "image/png"
) -> Node:
    """An embedded image."""
    return part(
        kind,
        encodebytes(octets).rstrip().replace(b"\n", b"\r\n"),
        "Content-Transfer-Encoding: base64",
        f"Content-ID: <{content_id}>",
        f'Content-Disposition: inline; filename="{name}"',
    )


class Taken(NamedTuple):
    """A message after its images were taken out, and these."""

    octets: bytes
    images: tuple[HostedImage, ...]


@frozen
class Takes:
    """The stage, with addresses of a test's own."""

    url: Callable[[Image], str | None] = address
    name: str = "takes"
    seconds: float = 1.0

    def take_out(self, octets: bytes, root: Part, documents: Mapping[int, Document]) -> Hosted:
        return host_images(octets, root, documents, self.url)


def taken_out(octets: bytes, url: Callable[[Image], str | None] = address) -> Taken:
    """Octets after the stage; none of its faults is passed over."""
    result = rework([octets], [Takes(url)])
    assert not any(run.problem for run in result.runs if run.stage != "read"), result.runs
    content = Content.from_blocks([octets])
    if result.template is not None:
        content = filled(content, result.template, [])
    return Taken(bytes(content), result.images)


def hosted(tree: Node) -> Taken:
    """A message after its images were taken out."""
    return taken_out(bytes(tree) + b"\r\n")


def read(octets: bytes) -> EmailMessage:
    """A message as another program understands it."""
    message = message_from_bytes(octets, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


class HostedTests(SynchronousTestCase):
    """Images that go."""

    def test_collapse(self) -> None:
        """HTML with its image becomes HTML alone, with an address for the image."""
        text = '<p>\u20ac <img src="cid:a@x"></p>\r\n'
        found = hosted(multipart("related", html(text), image(), top=True))
        [taken] = found.images
        self.assertEqual(
            b"From: a@shop.example\r\n"
            b"Content-Type: text/html; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n"
            b"Subject: x\r\n"
            b"\r\n" + text.replace("cid:a@x", taken.url).encode() + b"\r\n",
            found.octets,
        )

    def test_image(self) -> None:
        """An image is given back decoded, with its name and its hash."""
        tree = multipart("related", html("<img src=cid:a@x>"), image(), top=True)
        [taken] = hosted(tree).images
        self.assertEqual(
            Image("a@x", "image/png", "logo.png", PNG, sha256(PNG).hexdigest()), taken.image
        )
        self.assertEqual(address(taken.image), taken.url)

    def test_encodings(self) -> None:
        """The HTML keeps its charset and its transfer encoding."""
        text = "<p>\u00e9\u00e9\u00e9 = \u00fc</p>\r\n" * 9 + "<td background='cid:a@x'>\r\n"
        for charset, *encodings in (
            ("utf-8", "8bit", "quoted-printable", "base64"),
            ("iso-8859-1", "8bit", "quoted-printable", "base64"),
            ("utf-16-le", "base64"),
        ):
            for encoding in encodings:
                tree = multipart("related", html(text, charset, encoding), image(), top=True)
                found = hosted(tree)
                [taken] = found.images
                message = read(found.octets)
                self.assertEqual(encoding, message["Content-Transfer-Encoding"])
                payload = message.get_payload(decode=True)
                assert isinstance(payload, bytes)
                self.assertEqual(
                    text.replace("cid:a@x", taken.url).rstrip(), payload.decode(charset).rstrip()
                )

    def test_last_line(self) -> None:
        """HTML that becomes the whole message says the same as before, in any charset."""
        for charset in ("utf-8", "utf-16-le"):
            text = "<p>x</p><img src='cid:a@x'>"
            tree = multipart("related", html(text, charset, "quoted-printable"), image(), top=True)
            found = hosted(tree)
            payload = read(found.octets).get_payload(decode=True)
            assert isinstance(payload, bytes)
            expected = text.replace("cid:a@x", found.images[0].url)
            self.assertEqual(expected, payload.decode(charset))
            self.assertTrue(found.octets.endswith(b"\r\n"))

    def test_many(self) -> None:
        """Many texts with many images, in many multiparts, are looked through once."""
        count = 150
        parts = [html(f"<img src=cid:{number}@x>") for number in range(count)]
        tree = multipart("mixed", *parts, *(image(f"{each}@x") for each in range(count)))
        for _ in range(15):
            tree = evolve(multipart("mixed", tree), boundary=b"outer%d" % _)
        self.assertGreaterEqual(len(hosted(tree).images), 0)

    def test_image_encodings(self) -> None:
        """An image comes out whichever way it was encoded."""
        octets = b"GIF89a=\xff"
        for encoding, body in (
            ("base64", b"R0lGO\r\nDlhPf8="),
            ("quoted-printable", b"GIF89=\r\na=3D=FF"),
            ("8bit", octets),
            ("BINARY", octets),
        ):
            each = part(
                "image/gif", body, f"Content-Transfer-Encoding: {encoding}", "Content-ID: a"
            )
            tree = multipart("related", html("<img src='cid:a'>"), each, top=True)
            [taken] = hosted(tree).images
            self.assertEqual(octets, taken.image.octets)

    def test_all_references(self) -> None:
        """Every reference to an image becomes its address."""
        text = (
            '<style>p{background:url(cid:a@x)}</style><body background="cid:a%40x">'
            "<img src='cid:a@x'><p style='background:url(cid:a@x)'>"
        )
        found = hosted(multipart("related", html(text), image(), top=True))
        self.assertEqual(4, found.octets.count(found.images[0].url.encode()))
        self.assertNotIn(b"cid:", found.octets)

    def test_within_alternative(self) -> None:
        """Text and its HTML stay two forms of the same, the HTML without its multipart/related."""
        text = part("text/plain", b"[cid:a@x]")
        related = multipart("related", html("<img src=cid:a@x>"), image())
        found = hosted(multipart("alternative", text, related, top=True))
        message = read(found.octets)
        self.assertEqual(
            ["multipart/alternative", "text/plain", "text/html"],
            [each.get_content_type() for each in message.walk()],
        )
        self.assertIn(b"\r\n\r\n[cid:a@x]\r\n", found.octets)

    def test_around_alternative(self) -> None:
        """A multipart/alternative takes the place of the multipart/related around it."""
        text = part("text/plain", b"x")
        forms = multipart("alternative", text, html("<img src=cid:a@x>"))
        message = read(hosted(multipart("related", forms, image(), top=True)).octets)
        self.assertEqual(
            ["multipart/alternative", "text/plain", "text/html"],
            [each.get_content_type() for each in message.walk()],
        )
        self.assertEqual("x", message["Subject"])

    def test_unreferenced(self) -> None:
        """An inline image that the HTML does not show stays, and so its multipart/related."""
        other = image("b@x", name="other.png")
        tree = multipart("related", html("<img src=cid:a@x>"), image(), other, top=True)
        found = hosted(tree)
        self.assertEqual(["a@x"], [each.image.content_id for each in found.images])
        self.assertIn(bytes(other), found.octets)
        self.assertEqual("multipart/related", read(found.octets).get_content_type())

    def test_mixed(self) -> None:
        """An attachment stays where it is, also when it stands among the images."""
        attachment = part("application/pdf", b"%PDF", "Content-Disposition: attachment")
        tree = multipart("mixed", html("<img src=cid:a@x>"), image(), attachment, top=True)
        found = hosted(tree)
        self.assertIn(bytes(attachment), found.octets)
        self.assertEqual(1, len(found.images))

    def test_identical(self) -> None:
        """The same file twice is two images with one hash."""
        text = html("<img src=cid:a@x><img src=cid:b@x>")
        found = hosted(multipart("related", text, image(), image("b@x"), top=True))
        first, second = found.images
        self.assertEqual(first.image.sha256, second.image.sha256)

    def test_nearest(self) -> None:
        """Of two images with one Content-ID, each HTML shows the one it came with."""
        first = multipart("related", html("<img src=cid:a@x>"), image(octets=b"1"))
        second = evolve(
            multipart("related", html("<b><img src=cid:a@x></b>"), image(octets=b"2")),
            boundary=b"second",
            fields=(b"Content-Type: multipart/related; boundary=second\r\n",),
        )
        found = hosted(multipart("mixed", first, second, top=True))
        self.assertEqual([b"1", b"2"], [each.image.octets for each in found.images])
        one, two = (each.url.encode() for each in found.images)
        self.assertIn(b"<img src=%s>" % one, found.octets)
        self.assertIn(b"<b><img src=%s></b>" % two, found.octets)

    def test_names(self) -> None:
        """The name for an address is harmless, whatever the file was called."""
        for name, expected in (
            ("logo.png", "logo.png"),
            ("My Logo (1).PNG", "My-Logo-1-.PNG"),
            ("../../etc/passwd", "passwd"),
            ("C:\\x\\logo.png", "logo.png"),
            ("\u20ac.png", "png"),
            ("..", "image"),
            ("", "a"),
            ("x" * 100 + ".png", "x" * 56 + ".png"),
        ):
            found = Image("a@x", "image/png", name, PNG, "")
            self.assertEqual(expected, found.address_name)


class StayingTests(SynchronousTestCase):
    """Messages that stay as they are."""

    def unchanged(self, tree: Node) -> None:
        """The message comes out as it went in, and no address is asked for."""
        octets = bytes(tree) + b"\r\n"
        asked: list[Image] = []
        self.assertEqual(Taken(octets, ()), taken_out(octets, asked.append))
        self.assertEqual([], asked)

    def test_nothing_shown(self) -> None:
        """An image that is referred to in no way, or only by others, stays."""
        for text in ("<p>x</p>", "<img src='cid:b@x'>", "<img src='https://x.example/a@x'>"):
            self.unchanged(multipart("related", html(text), image(), top=True))

    def test_elsewhere(self) -> None:
        """An image that the HTML speaks of where no address can stand stays, with all of it."""
        for text in (
            "<img src='cid:a@x'><!--[if mso]><v:fill src='cid:a@x'/><![endif]-->",
            "<img src='cid:a@x'><a href='cid:a%40x'>x</a>",
            "<img src='cid:a@x' srcset='cid:a@x 2x'>",
        ):
            self.unchanged(multipart("related", html(text), image(), top=True))

    def test_elsewhere_very_often(self) -> None:
        """A text that speaks of very many parts keeps its images."""
        text = "<img src='cid:a@x'>" + "".join(f"cid:{number} " for number in range(2000))
        self.unchanged(multipart("related", html(text), image(), top=True))

    def test_protected(self) -> None:
        """What is signed or encrypted does not change."""
        related = multipart("related", html("<img src=cid:a@x>"), image())
        signature = part("application/pgp-signature", b"x")
        self.unchanged(multipart("signed", related, signature, top=True))

    def test_no_body(self) -> None:
        """HTML that is an attachment, or within another message, shows nothing to the reader."""
        attachment = html("<img src=cid:a@x>")
        attachment = evolve(
            attachment, fields=(*attachment.fields, b"Content-Disposition: attachment\r\n")
        )
        self.unchanged(
            multipart("related", part("text/plain", b"x"), attachment, image(), top=True)
        )
        inner = bytes(multipart("related", html("<img src=cid:a@x>"), image(), top=True))
        self.unchanged(multipart("mixed", part("message/rfc822", inner), top=True))

    def test_no_image(self) -> None:
        """Only images are taken out, and only whole ones."""
        for each in (
            image(kind="application/octet-stream"),
            image(kind="image/p\u00e9"),
            image(octets=b""),
            part("image/png", b"A", "Content-ID: <a@x>", "Content-Transfer-Encoding: base64"),
            part(
                "image/png", b"begin", "Content-ID: <a@x>", "Content-Transfer-Encoding: x-uuencode"
            ),
            part("image/png", b"x"),
        ):
            self.unchanged(multipart("related", html("<img src=cid:a@x>"), each, top=True))

    def test_last_of_its_multipart(self) -> None:
        """An image that is alone in its multipart stays: a multipart needs a part."""
        tree = multipart(
            "mixed", html("<img src=cid:a@x>"), multipart("related", image()), top=True
        )
        self.unchanged(tree)

    def test_unreadable(self) -> None:
        """HTML that cannot be read may show any image."""
        unreadable = part("text/html", b"<img src=cid:a@x>", "Content-Transfer-Encoding: x-strange")
        readable = html("<img src=cid:a@x>")
        self.unchanged(multipart("related", readable, unreadable, image(), top=True))

    def test_refused(self) -> None:
        """An image without an address stays, beside others that go."""
        text = html("<img src=cid:a@x><img src=cid:b@x>")
        octets = bytes(multipart("related", text, image(), image("b@x"), top=True)) + b"\r\n"
        found = taken_out(octets, lambda each: address(each) if each.content_id == "a@x" else None)
        self.assertEqual(["a@x"], [each.image.content_id for each in found.images])
        self.assertIn(b"<img src=cid:b@x>", found.octets)
        self.assertIn(bytes(image("b@x")), found.octets)


TEXTS = st.lists(
    st.sampled_from(
        [
            '<img src="cid:a@x">',
            "<p style='background:url(&quot;cid:b@x&quot;)'>",
            "<style>p{background:url(cid:c@x)}</style>",
            "<!--[if mso]>cid:c@x<![endif]-->",
            "\r\n",
            "\u20ac {{x}} &nbsp; <%= y %>",
            "<IMG SRC=cid:a@x>",
            "x" * 200,
        ]
    )
).map("".join)


class PropertyTests(SynchronousTestCase):
    """Any message."""

    @given(TEXTS, st.sampled_from(["8bit", "quoted-printable", "base64"]), st.booleans())
    def test_outside(self, text: str, encoding: str, alternative: bool) -> None:  # noqa: FBT001
        """The HTML says the same but for the addresses, and what stays is as it was."""
        images = [image(f"{name}@x") for name in "abc"]
        body = html(text, encoding=encoding)
        if alternative:
            body = multipart("alternative", part("text/plain", b"x"), body)
        found = hosted(multipart("related", body, *images, top=True))
        expected = text
        for each in found.images:
            expected = expected.replace(f"cid:{each.image.content_id}", each.url)
        shown = read(found.octets).get_body(["html"])
        assert shown is not None
        payload = shown.get_payload(decode=True)
        assert isinstance(payload, bytes)
        self.assertEqual(expected.rstrip(), payload.decode().rstrip())
        gone = {each.image.content_id for each in found.images}
        for name, embedded in zip("abc", images, strict=True):
            self.assertEqual(f"{name}@x" in gone, bytes(embedded) not in found.octets)

    @given(st.binary())
    def test_garbage(self, octets: bytes) -> None:
        """Whatever the octets, something comes out."""
        taken_out(octets)
        tree = multipart("related", html("<img src=cid:a@x>"), image(), top=True)
        whole = bytes(tree)
        middle = len(octets) * 7 % len(whole)
        taken_out(whole[:middle] + octets + whole[middle:])
        taken_out(whole[:middle])
