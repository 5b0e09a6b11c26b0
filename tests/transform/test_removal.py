from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.parts import parse
from smtpeter.transform.removal import without_parts
from tests.transform.mimetrees import Node, multipart, part, trees

HTML = part("text/html", b"<p>x</p>", "Content-Transfer-Encoding: 7bit")
TEXT = part("text/plain", b"x")
IMAGE = part("image/png", b"iVBOR", "Content-ID: <a@x>")
OTHER = part("image/gif", b"R0lGOD", "Content-ID: <b@x>")


def removed(tree: Node, doomed: set[int]) -> bytes:
    """A message without the parts that these nodes became."""
    octets = bytes(tree) + b"\r\n"
    root = parse(octets)
    starts = {
        each.start
        for node, each in zip(tree.walk(), root.walk(), strict=True)
        if id(node) in doomed
    }
    return without_parts(octets, root, starts)


class RemovalTests(SynchronousTestCase):
    """Parts taken out of messages."""

    def test_among_others(self) -> None:
        """A part goes with its boundary line, wherever it stands."""
        for children in ([IMAGE, HTML, TEXT], [HTML, IMAGE, TEXT], [HTML, TEXT, IMAGE]):
            tree = multipart("related", *children, top=True)
            rest = multipart("related", *(each for each in children if each is not IMAGE), top=True)
            self.assertEqual(
                bytes(rest) + b"\r\n",
                removed(tree, {id(IMAGE)}).replace(tree.boundary, rest.boundary),
            )

    def test_left_alone(self) -> None:
        """What is left alone in a multipart/related becomes the message."""
        found = removed(multipart("related", HTML, IMAGE, top=True), {id(IMAGE)})
        self.assertEqual(
            b"From: a@shop.example\r\n"
            b"Content-Type: text/html\r\n"
            b"Content-Transfer-Encoding: 7bit\r\n"
            b"Subject: x\r\n"
            b"\r\n"
            b"<p>x</p>\r\n",
            found,
        )

    def test_within(self) -> None:
        """A part within takes the place of its multipart/related."""
        tree = multipart("alternative", TEXT, multipart("related", HTML, IMAGE), top=True)
        rest = multipart("alternative", TEXT, HTML, top=True)
        found = removed(tree, {id(IMAGE)}).replace(tree.boundary, rest.boundary)
        self.assertEqual(bytes(rest) + b"\r\n", found)

    def test_one_within_another(self) -> None:
        """Two of them may go at once."""
        inner = multipart("related", HTML, IMAGE)
        found = removed(multipart("related", inner, OTHER, top=True), {id(IMAGE), id(OTHER)})
        self.assertTrue(found.endswith(b"Subject: x\r\n\r\n<p>x</p>\r\n"), found)
        self.assertNotIn(b"multipart", found)

    def test_other_multiparts(self) -> None:
        """A multipart of another kind stays one, and so does a related that had one part."""
        tree = multipart("mixed", multipart("related", HTML), IMAGE, top=True)
        found = removed(tree, {id(IMAGE)})
        self.assertIn(b"multipart/mixed", found)
        self.assertIn(b"multipart/related", found)

    def test_no_strange_fields(self) -> None:
        """A field of a part that says nothing of its body does not get to the top."""
        html = part("text/html", b"<p>x</p>", "Bcc: b@shop.example", "Content-Language: en")
        found = removed(multipart("related", html, IMAGE, top=True), {id(IMAGE)})
        self.assertNotIn(b"Bcc", found)
        self.assertIn(b"\r\nContent-Language: en\r\n", found)

    def test_never_closed(self) -> None:
        """A multipart that is cut off loses its part all the same."""
        octets = bytes(multipart("mixed", HTML, IMAGE, top=True))
        octets = octets[: octets.index(b"iVBOR") + 5]
        root = parse(octets)
        found = without_parts(octets, root, {root.children[1].start})
        self.assertEqual(octets[: octets.index(b"<p>x</p>\r\n") + 10], found)

    def test_nothing(self) -> None:
        """With nothing to take out nothing changes."""
        octets = bytes(multipart("related", HTML, top=True))
        self.assertEqual(octets, without_parts(octets, parse(octets), set()))

    @given(trees(), st.data())
    def test_any(self, tree: Node, data: st.DataObject) -> None:
        """Of any tree, what is left is what it would be if it had been written without them."""
        leaves = [node for node in tree.walk() if not node.boundary and node is not tree]
        doomed = {id(node) for node in leaves if data.draw(st.booleans())}
        for node in tree.walk():
            if node.children and all(id(child) in doomed for child in node.children):
                doomed -= {id(child) for child in node.children}
        self.assertEqual(bytes(tree.without(doomed)) + b"\r\n", removed(tree, doomed))

    @given(st.binary(), st.data())
    def test_garbage(self, octets: bytes, data: st.DataObject) -> None:
        """Whatever the octets, something comes out."""
        octets = b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n" + octets.replace(
            b"0", b"\r\n--b\r\n"
        )
        root = parse(octets)
        starts = {each.start for each in root.children if data.draw(st.booleans())}
        self.assertLessEqual(len(without_parts(octets, root, starts)), len(octets))
