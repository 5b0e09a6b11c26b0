from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.complaintfields import (
    LEAST_CHARACTERS,
    MOST_CHARACTERS,
    complaint_fields,
    feedback_sender_of,
)
from tests.transform.drafts import draft

FROM = b"From: noor@shop.example\r\n"
MAIL = FROM + b"Subject: Sale\r\n\r\nHello.\r\n"


def fields(content: bytes = MAIL, **facts: Any) -> str:
    given: dict[str, Any] = {"account_id": 7, "origin": "rest"}
    return complaint_fields(evolve(draft(content), **(given | facts)), "mail-example")


class ComplaintFieldsTests(SynchronousTestCase):
    """Fields by which a message is known again."""

    def test_added(self) -> None:
        """A message gets both."""
        expected = (
            f"X-Message-ID: {draft(MAIL).message_id}\r\nFeedback-ID: :rest:a7:mail-example\r\n"
        )
        self.assertEqual(expected, fields())

    def test_template(self) -> None:
        """What was made of a template says of which."""
        self.assertIn("Feedback-ID: t12:rest:a7:mail-example\r\n", fields(template_id=12))

    def test_one_feedback_id(self) -> None:
        """A message that has a Feedback-ID keeps it, alone."""
        for name in (b"Feedback-ID", b"FEEDBACK-id"):
            for content in (name + b": a:b:c:d\r\n" + MAIL, FROM + name + b": x\r\n\r\n.\r\n"):
                self.assertNotIn("feedback-id", fields(content).lower())

    def test_body(self) -> None:
        """What stands in the body alone is no field."""
        self.assertIn("\r\nFeedback-ID: :rest", fields(MAIL + b"Feedback-ID: x\r\n"))

    def test_nobody(self) -> None:
        """Reports of our own, and what is sent on as it came, get none."""
        self.assertEqual("", fields(account_id=None))
        self.assertEqual("", fields(account_id=None, origin="arrival"))

    @given(st.text(max_size=80))
    def test_sender(self, hostname: str) -> None:
        """Whatever the host is called, the last part is 5 to 15 letters, digits and hyphens."""
        pattern = rf"\A[A-Za-z0-9-]{{{LEAST_CHARACTERS},{MOST_CHARACTERS}}}\Z"
        self.assertRegex(feedback_sender_of(hostname), pattern)

    def test_sender_samples(self) -> None:
        """It is what the host is called, as far as there is room."""
        for hostname, sender in (
            ("mail.example.com", "mail-example-co"),
            ("localhost", "localhost"),
            ("mx.a", "mx-a0"),
            ("mail.shop-a.very-long.example", "mail-shop-a-ver"),
            ("2001:db8::7", "2001-db8-7"),
        ):
            self.assertEqual(sender, feedback_sender_of(hostname))
