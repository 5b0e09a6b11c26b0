"""Capture mode."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smtpeter.delivery.capture import CaptureCarrier
from smtpeter.delivery.carrier import ICarrier
from smtpeter.delivery.receivers import Receiver
from smtpeter.delivery.route import Way
from smtpeter.message.content import Content
from smtpeter.message.envelope import Envelope
from smtpeter.message.outcome import Outcome, Verdict
from tests.delivery.house import FakeLimits
from tests.smtp.outbound import CONTENT, ONE, TWO

WAY = Way("capture", "capture", ())
ALLOWANCE = Receiver("capture", "", FakeLimits(), 0.0)


def at_once(function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
    """In place of a thread."""
    return maybeDeferred(function, *arguments)


class CaptureTests(SynchronousTestCase):
    """Messages in a Maildir."""

    def setUp(self) -> None:
        self.maildir = Path(self.mktemp()) / "capture"
        self.carrier = CaptureCarrier(self.maildir, at_once)

    def capture(
        self,
        envelope: Envelope = ONE,
        content: Content = CONTENT,
        message_id: str = "7hQx2LmPzR9aTc04",
    ) -> tuple[Outcome, ...]:
        carried = self.successResultOf(
            self.carrier.carry(WAY, ALLOWANCE, envelope, content, message_id)
        )
        carried.release()
        return carried.outcomes

    def test_interface(self) -> None:
        """It is a carrier with one receiver."""
        self.assertTrue(verifyObject(ICarrier, self.carrier))
        self.assertEqual("capture", self.carrier.destination_of("mailbox.example"))
        self.carrier.idle_close()
        self.successResultOf(self.carrier.shutdown())

    def test_written(self) -> None:
        """The file tells the envelope, and holds the content octet for octet."""
        content = Content((b"Subject: x\r\n\r\n", b".\r\n\xff\r\n"), 14)
        (outcome,) = self.capture(content=content)
        (path,) = (self.maildir / "new").iterdir()
        self.assertEqual(
            b"Return-Path: <ria@shop.example>\r\nDelivered-To: kees@mailbox.example\r\n"
            b"Subject: x\r\n\r\n.\r\n\xff\r\n",
            path.read_bytes(),
        )
        self.assertIn("7hQx2LmPzR9aTc04", path.name)
        self.assertEqual([], list((self.maildir / "tmp").iterdir()))
        self.assertTrue((self.maildir / "cur").is_dir())
        self.assertEqual((Verdict.DELIVERED, "capture"), (outcome.verdict, outcome.host))

    def test_several_recipients(self) -> None:
        """Each recipient is named and has an outcome; the null sender is `<>`."""
        outcomes = self.capture(evolve(TWO, sender=None))
        (path,) = (self.maildir / "new").iterdir()
        self.assertEqual(
            [b"Return-Path: <>", b"Delivered-To: kees@mailbox.example",
             b"Delivered-To: jan@mailbox.example"],
            path.read_bytes().split(b"\r\n")[:3],
        )  # fmt: skip
        self.assertEqual(2, len(outcomes))

    def test_twice(self) -> None:
        """A message that is captured twice is there once; another has a file of its own."""
        self.capture()
        self.capture()
        self.capture(message_id="other")
        self.assertEqual(2, len(list((self.maildir / "new").iterdir())))

    def test_strange_id(self) -> None:
        """An id cannot lead out of the Maildir."""
        self.capture(message_id="../../x:2,S")
        self.assertEqual(1, len(list((self.maildir / "new").iterdir())))

    def test_cannot_be_written(self) -> None:
        """What cannot be written waits, and the log tells why."""
        self.maildir.parent.mkdir(parents=True)
        self.maildir.write_text("a file in the way")
        (outcome,) = self.capture()
        self.assertEqual((Verdict.DEFERRED, "process"), (outcome.verdict, outcome.state))
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))
