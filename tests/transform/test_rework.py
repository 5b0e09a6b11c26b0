from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import Content
from smtpeter.message.parts import Part
from smtpeter.transform import rework
from smtpeter.transform.hosting import Hosted, HostedImage, Image
from smtpeter.transform.marks import Marks, Slot
from smtpeter.transform.markup import Document, read
from smtpeter.transform.rework import Body, Reworked, page, with_html, with_plain
from smtpeter.transform.template import filled

TEXT = b"Content-Type: text/plain\r\n\r\nplain\r\n"
HTML = b'Content-Type: text/html\r\n\r\n<p title="x">html</p>\r\n'
BOTH = (
    b"From: a@b.example\r\nContent-Type: multipart/alternative; boundary=cut\r\n\r\n"
    b"--cut\r\n" + TEXT + b"--cut\r\n" + HTML + b"--cut--\r\n"
)


@frozen
class Says:
    """A stage that does to each text what a test wants."""

    change: Callable[[str, Marks], str]
    name: str = "says"
    seconds: float = 1.0

    def __call__(self, bodies: Sequence[Body], marks: Marks) -> list[Body]:
        def plain(text: str) -> str:
            return self.change(text, marks)

        def html(document: Document) -> Document:
            before = str(document)
            after = plain(before)
            return document if after == before else read(after)

        return [with_plain(with_html(body, html), plain) for body in bodies]


@frozen
class Takes:
    """A stage that takes an image out."""

    name: str = "takes"
    seconds: float = 1.0

    def take_out(self, octets: bytes, root: Part, documents: Mapping[int, Document]) -> Hosted:  # noqa: ARG002
        image = HostedImage(Image("c", "image/png", "", b"PNG", "00"), "https://x.example")
        return Hosted(octets.replace(b"plain", b"PLAIN"), tuple(documents.values()), (image,))


def breaks(text: str, marks: Marks) -> str:
    marks.make("click", 7)
    raise ValueError(f"cannot read {text[:5]}")


def louder(text: str, _: Marks) -> str:
    return text.upper()


def linked(text: str, marks: Marks) -> str:
    if "html" not in text:
        return text
    return text.replace("html", marks.make("click", 3, "https://shop.example"))


class ReworkTests(SynchronousTestCase):
    """Texts through stages."""

    def reworked(self, octets: bytes, *stages: rework.Stage) -> tuple[bytes, Reworked]:
        """The message that comes out, with a name in each gap."""
        result = rework.rework([octets], stages)
        content = Content.from_blocks([octets])
        if result.template is not None:
            names = [f"{slot.kind}{slot.number}" for slot in result.slots]
            content = filled(content, result.template, names)
        return bytes(content), result

    def problems(self, result: Reworked) -> list[tuple[str, str]]:
        return [(run.stage, run.problem) for run in result.runs if run.problem]

    def test_in_order(self) -> None:
        """Each stage gets what the one before it made; the rest of the message stays."""
        marked = Says(lambda text, _: text.replace("HTML", "twice"))
        sent, result = self.reworked(BOTH, Says(louder), marked)
        self.assertEqual(
            BOTH.replace(b"\r\n\r\nplain", b"\r\n\r\nPLAIN").replace(
                b'<p title="x">html</p>', b'<P TITLE="X">twice</P>'
            ),
            sent,
        )
        self.assertEqual(["read", "says", "says", "write"], [run.stage for run in result.runs])

    def test_gaps(self) -> None:
        """What is personal is named in the result, and stands nowhere else."""
        sent, result = self.reworked(BOTH, Says(linked))
        self.assertEqual((Slot("click", 3, "https://shop.example"),), result.slots)
        self.assertEqual(BOTH.replace(b">html<", b">click3<"), sent)

    @given(st.binary(max_size=300), st.booleans())
    def test_nothing_to_do(self, octets: bytes, structured: bool) -> None:  # noqa: FBT001
        """A message that no stage changes stays as it is, whatever it is."""
        message = BOTH.replace(b"html<", octets) if structured else octets
        _, result = self.reworked(message, Says(lambda text, _: text))
        self.assertIsNone(result.template)
        self.assertEqual([], [problem for problem in self.problems(result) if problem[0] != "read"])

    def test_fault(self) -> None:
        """A stage that fails is skipped with its marks, and named; the others do their work."""
        sent, result = self.reworked(BOTH, Says(breaks, "broken"), Says(linked))
        self.assertIn(b">click3<", sent)
        self.assertEqual(1, len(result.slots))
        self.assertEqual([("broken", "ValueError: cannot read plain")], self.problems(result))

    def test_protected(self) -> None:
        """A signed message stays as it is."""
        message = BOTH.replace(b"multipart/alternative", b"multipart/signed")
        sent, result = self.reworked(message, Takes(), Says(louder))
        self.assertEqual((message, ()), (sent, result.runs))

    def test_too_large(self) -> None:
        """HTML over the limit stays as it is, with a problem that says so."""
        self.patch(rework, "BODY_OCTETS", 20)
        sent, result = self.reworked(BOTH, Says(louder))
        self.assertEqual(BOTH.replace(b"\r\n\r\nplain", b"\r\n\r\nPLAIN"), sent)
        self.assertEqual([("read", "a part of 21 octets is over 20")], self.problems(result))

    def test_unreadable(self) -> None:
        """HTML that could not be written as it was stays as it is, with a problem."""
        message = BOTH.replace(
            b"text/html\r\n", b"text/html\r\nContent-Transfer-Encoding: x-unknown\r\n"
        )
        sent, result = self.reworked(message, Says(louder))
        self.assertIn(b'<p title="x">html</p>', sent)
        self.assertEqual(["read"], [stage for stage, _ in self.problems(result)])

    def test_cannot_be_written(self) -> None:
        """Texts that cannot be written leave the message as it was, its images in it."""

        def fails(*_: object) -> None:
            raise LookupError("no such charset")

        self.patch(rework, "edits_for", fails)
        sent, result = self.reworked(BOTH, Takes(), Says(louder))
        self.assertEqual((BOTH, ()), (sent, result.images))
        self.assertEqual([("write", "LookupError: no such charset")], self.problems(result))

    def test_images(self) -> None:
        """Images are taken out and handed over; all else goes on with the rest."""
        sent, result = self.reworked(BOTH, Takes(), Says(lambda text, _: f"{text}!"))
        self.assertIn(b"html</p>!\r\n", sent)
        self.assertIn(b"\r\n\r\nplain!\r\n", sent)
        self.assertEqual([b"PNG"], [each.image.octets for each in result.images])
        self.assertEqual(["read", "takes", "says", "write"], [run.stage for run in result.runs])

    def test_fault_over_images(self) -> None:
        """Images that cannot be taken out stay where they are."""

        class Breaks(Takes):
            def take_out(
                self,
                octets: bytes,
                root: Part,  # noqa: ARG002
                documents: Mapping[int, Document],  # noqa: ARG002
            ) -> Hosted:
                raise ValueError(len(octets))

        sent, result = self.reworked(BOTH, Breaks())
        self.assertEqual((BOTH, ()), (sent, result.images))
        self.assertEqual(["takes"], [stage for stage, _ in self.problems(result)])

    def test_travels(self) -> None:
        """The result can be sent from one process to another."""
        _, result = self.reworked(BOTH, Takes(), Says(linked))
        self.assertEqual(result, pickle.loads(pickle.dumps(result)))  # noqa: S301


class PageTests(SynchronousTestCase):
    """The web version."""

    def test_html(self) -> None:
        """HTML is shown as the stages made it."""
        found = page([BOTH], [Says(louder)])
        assert found is not None
        self.assertEqual('<P TITLE="X">HTML</P>', found.html)

    def test_text(self) -> None:
        """Without HTML, a page shows the plain text."""
        found = page([TEXT], [])
        assert found is not None
        self.assertIn("plain", found.html)
        self.assertIn("<html>", found.html)

    def test_nothing(self) -> None:
        """A message without any text has no page."""
        self.assertIsNone(page([b"Content-Type: image/png\r\n\r\nPNG"], []))
