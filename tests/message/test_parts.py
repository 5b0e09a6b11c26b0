"""MIME parts: found in the octets, which stay as they are."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.parts import DEPTH, PARTS, Part, body_parts, is_protected, parse, replaced
from tests.mimetrees import Tree, trees

FRAGMENTS = st.lists(
    st.sampled_from(
        [
            b"Content-Type: multipart/mixed; boundary=a\r\n", b"\r\n", b"\r\n--a\r\n", b"--a--\r\n",
            b'Content-Type: multipart/related; boundary="a b"\r\n', b"--a b\r\n", b"--a b--",
            b"Content-Type: text/html; charset*0*=utf-8''%", b"content-disposition: x; filename*=",
            b"=?utf-8?q?=ff?=", b"=?utf-8?b?a?=", b"(((", b"\\", b'"', b";", b"\n", b"\r", b"--a",
            b"Content-ID: <", b"Content-Transfer-Encoding: base64\r\n", b"\xff\0", b"=", b"*1*=",
            b"Content-Type: multipart/digest; boundary*=us-ascii''%61\r\n",
        ]
    ),
    max_size=20,
).map(b"".join)  # fmt: skip


def multipart(kind: str, *parts: bytes, boundary: str = "b") -> bytes:
    """Write a multipart of parts that are whole."""
    header = f"Content-Type: multipart/{kind}; boundary={boundary}\r\n\r\n".encode()
    pieces = [f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts]
    return header + b"".join(pieces) + f"--{boundary}--\r\n".encode()


def html(name: str, header: str = "") -> bytes:
    return f"Content-Type: text/html\r\n{header}\r\n{name}".encode()


PLAIN = b"Content-Type: text/plain\r\n\r\nplain"
IMAGE = b"Content-Type: image/png\r\nContent-ID: <i@x>\r\n\r\npng"


class TreeTests(SynchronousTestCase):
    """Which parts there are, and where."""

    def assert_found(self, octets: bytes, part: Part, tree: Tree) -> None:
        self.assertEqual(tree.header, octets[part.start : part.body])
        self.assertEqual(tree.body, octets[part.body : part.end])
        self.assertEqual(len(tree.children), len(part.children))
        for child, of_child in zip(part.children, tree.children, strict=True):
            self.assert_found(octets, child, of_child)

    @given(trees())
    def test_tree(self, tree: Tree) -> None:
        """Every part is found with just its octets, however the boundaries resemble each other."""
        octets = bytes(tree)
        self.assert_found(octets, parse(octets), tree)

    @given(st.binary(max_size=200) | FRAGMENTS)
    @example(b"Content-Type: multipart/x; boundary=a\r\n\r\n--a\r\n--a\r\n\r\n--a\r\nX: 1\r\n--a")
    def test_any_octets(self, octets: bytes) -> None:
        """Whatever comes is read; parts stand within their parents, one behind the other."""
        root = parse(octets)
        self.assertEqual((0, len(octets)), (root.start, root.end))
        for part in root.walk():
            self.assertTrue(part.start <= part.body <= part.end, part)
            position = part.body
            for child in part.children:
                self.assertLess(position, child.start)
                position = child.end
            self.assertLessEqual(position, part.end)
        self.assertIsInstance(is_protected(root), bool)
        self.assertTrue({id(part) for part in body_parts(root)} <= set(map(id, root.walk())))

    def test_header_only(self) -> None:
        """A part whose header does not end has no body, and the boundary keeps its line break."""
        octets = multipart("mixed", b"Content-Type: text/html", b"\r\n\r\nx", b"A: b\r\n")
        first, second, third = parse(octets).children
        self.assertEqual(b"Content-Type: text/html", octets[first.start : first.end])
        self.assertEqual((first.end, "text/html"), (first.body, first.media_type))
        self.assertEqual(b"\r\nx", octets[second.body : second.end])
        self.assertEqual(b"A: b", octets[third.start : third.end].strip())
        self.assertEqual(third.end, third.body)

    def test_outer_boundary(self) -> None:
        """A multipart that does not close ends with the part it stands in."""
        inner = multipart("alternative", html("a"), boundary="i").replace(b"--i--\r\n", b"")
        root = parse(multipart("mixed", inner, PLAIN))
        self.assertEqual(
            ["multipart/mixed", "multipart/alternative", "text/html", "text/plain"],
            [part.media_type for part in root.walk()],
        )

    def test_same_boundary_within(self) -> None:
        """With one boundary for two levels, it is that of the outer one."""
        root = parse(multipart("mixed", multipart("alternative", PLAIN), PLAIN))
        self.assertEqual(
            ["multipart/alternative", "text/plain"], [part.media_type for part in root.children]
        )

    def test_attached_message(self) -> None:
        """A message within the message is not looked into."""
        attached = b"Content-Type: message/rfc822\r\n\r\n" + multipart("mixed", html("x"))
        root = parse(multipart("mixed", PLAIN, attached.replace(b"b\r\n", b"i\r\n"), boundary="o"))
        self.assertEqual(
            ["text/plain", "message/rfc822"], [part.media_type for part in root.children]
        )

    def test_digest(self) -> None:
        """The parts of a digest are messages, unless they say otherwise."""
        root = parse(multipart("digest", b"\r\nSubject: a", PLAIN))
        self.assertEqual(
            ["message/rfc822", "text/plain"], [part.media_type for part in root.children]
        )

    def test_depth(self) -> None:
        """A multipart that is too deep is a leaf."""
        octets = PLAIN
        for level in range(2 * DEPTH):
            octets = multipart("mixed", octets, boundary=f"b{level}")
        found = list(parse(octets).walk())
        self.assertEqual(DEPTH + 1, len(found))
        self.assertEqual(("multipart/mixed", ()), (found[-1].media_type, found[-1].children))

    def test_number(self) -> None:
        """Behind as many parts as are read, the rest is one part of no known type."""
        octets = multipart("mixed", *[html("x")] * (2 * PARTS))
        root = parse(octets)
        self.assertEqual(PARTS, len(root.children))
        rest = root.children[-1]
        self.assertEqual("application/octet-stream", rest.media_type)
        self.assertEqual((rest.start, len(octets)), (rest.body, rest.end))
        self.assertEqual(PARTS - 1, len(body_parts(root)))


class HeaderTests(SynchronousTestCase):
    """What a part says about itself."""

    def test_defaults(self) -> None:
        """A part that says nothing is plain text in 7bit."""
        for octets in (b"", b"\r\n", b"Subject: x\r\n\r\nbody", b"Content-Type: html\r\n\r\n"):
            part = parse(octets)
            self.assertEqual(("text/plain", "7bit"), (part.media_type, part.encoding))
            self.assertEqual(("", "", ""), (part.disposition, part.filename, part.content_id))

    def test_fields(self) -> None:
        """Names and words are read in any case; the first field of a name counts."""
        part = parse(
            b"CONTENT-TYPE : Text/HTML; Charset=ISO-8859-1\r\n"
            b"content-transfer-encoding: Quoted-Printable (sic)\r\n"
            b"Content-Disposition: Inline; filename=a.html\r\n"
            b"Content-Id: <A@b>\r\n"
            b"Content-Type: text/plain\r\n\r\n"
        )
        self.assertEqual(("text/html", "quoted-printable"), (part.media_type, part.encoding))
        self.assertEqual({"charset": "ISO-8859-1"}, part.parameters)
        self.assertEqual(("inline", "a.html"), (part.disposition, part.filename))
        self.assertEqual("A@b", part.content_id)

    def test_unknown_disposition(self) -> None:
        """An unknown disposition is that of an attachment."""
        self.assertEqual("attachment", parse(b"Content-Disposition: x-y\r\n\r\n").disposition)

    def test_name(self) -> None:
        """The name in Content-Type is that of the file where no other is given."""
        part = parse(b"Content-Type: text/html; name=a\r\nContent-Disposition: inline\r\n\r\n")
        self.assertEqual("a", part.filename)


class ProtectedTests(SynchronousTestCase):
    """Messages that may not change."""

    def test_plain(self) -> None:
        """A message that is neither signed nor encrypted may change."""
        for octets in (PLAIN, multipart("mixed", PLAIN, IMAGE), html("-----BEGIN PGP PUBLIC")):
            self.assertFalse(is_protected(parse(octets)), octets)

    def test_types(self) -> None:
        """Signed and encrypted parts are seen at any depth."""
        for kind in ("multipart/signed; boundary=s", "multipart/encrypted",
                     "application/pkcs7-mime; smime-type=signed-data",
                     "application/x-pkcs7-mime"):  # fmt: skip
            part = f"Content-Type: {kind}\r\n\r\n--s\r\n\r\nx\r\n--s--".encode()
            self.assertTrue(is_protected(parse(part)), kind)
            self.assertTrue(is_protected(parse(multipart("mixed", PLAIN, part))), kind)

    def test_armor(self) -> None:
        """So is text that PGP has signed or encrypted in place, in base64 as well."""
        for kind in ("", "SIGNED "):
            armor = f"Hi,\r\n-----BEGIN PGP {kind}MESSAGE-----\r\n".encode()
            self.assertTrue(is_protected(parse(b"\r\n" + armor)))
            encoded = b"Content-Transfer-Encoding: base64\r\n\r\n" + b64encode(armor)
            self.assertTrue(is_protected(parse(multipart("mixed", PLAIN, encoded))))
            attached = b"Content-Disposition: attachment\r\n\r\n" + armor
            self.assertFalse(is_protected(parse(multipart("mixed", PLAIN, attached))))


class BodyTests(SynchronousTestCase):
    """Which HTML is the message."""

    def names(self, octets: bytes) -> list[str]:
        return [octets[part.body : part.end].decode() for part in body_parts(parse(octets))]

    def test_body(self) -> None:
        """HTML is the message alone, as an alternative, and with its images."""
        self.assertEqual(["x"], self.names(html("x")))
        alternative = multipart("alternative", PLAIN, html("x"), boundary="a")
        related = multipart("related", html("y"), IMAGE, boundary="r")
        self.assertEqual(["x"], self.names(alternative))
        self.assertEqual(["y"], self.names(related))
        self.assertEqual(["x", "z"], self.names(multipart("mixed", alternative, IMAGE, html("z"))))
        both = multipart("alternative", PLAIN, related, boundary="o")
        self.assertEqual(["y"], self.names(multipart("mixed", both, IMAGE)))

    def test_attachments(self) -> None:
        """Attached HTML is not; nor is a file that something stands before."""
        attached = html("a", "Content-Disposition: attachment\r\n")
        named = html("n", "Content-Disposition: inline; filename=n.html\r\n")
        self.assertEqual([], self.names(attached))
        self.assertEqual(["x"], self.names(multipart("mixed", html("x"), attached, named)))
        self.assertEqual(["n"], self.names(multipart("mixed", named, html("a", "X: 1\r\n")))[:1])
        self.assertEqual(["n"], self.names(multipart("alternative", PLAIN, named)))

    def test_related(self) -> None:
        """The root of multipart/related may be named; what it refers to is not the message."""
        frame = html("f", "Content-ID: <f>\r\n")
        root = html("r", "Content-ID: <r>\r\n")
        octets = multipart('related; start="<r>"', frame, root, boundary="r")
        self.assertEqual(["r"], self.names(octets))
        self.assertEqual(["f"], self.names(multipart("related", frame, root)))
        self.assertEqual(["x"], self.names(multipart("related", PLAIN, html("x"))))

    def test_signed(self) -> None:
        """Nothing that is signed is among it."""
        self.assertEqual([], self.names(multipart("signed", html("x"))))


class ReplacedTests(SynchronousTestCase):
    """Splicing."""

    @given(st.lists(st.tuples(st.binary(max_size=4), st.binary(max_size=4), st.binary(max_size=4))))
    def test_replaced(self, pieces: list[tuple[bytes, bytes, bytes]]) -> None:
        """What is between the edits stays, in any order of them."""
        octets, expected = b"", b""
        edits = []
        for kept, old, new in pieces:
            octets += kept + old
            expected += kept + new
            edits.append((len(octets) - len(old), len(octets), new))
        self.assertEqual(expected, replaced(octets, edits))

    def test_order(self) -> None:
        """Edits come in any order."""
        self.assertEqual(b"1b2", replaced(b"abc", [(2, 3, b"2"), (0, 1, b"1")]))

    def test_overlap(self) -> None:
        """Edits that overlap are refused."""
        error = self.assertRaises(ValueError, replaced, b"abc", [(0, 2, b""), (1, 3, b"")])
        self.assertIn("the edit at 1 begins", str(error))
