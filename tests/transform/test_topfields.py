from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.envelope import Trace
from smtpeter.transform.complaintfields import complaint_fields
from smtpeter.transform.received import received_field
from smtpeter.transform.topfields import add_top_fields
from tests.transform.drafts import draft

MAIL = b"From: noor@shop.example\r\nSubject: Sale\r\n\r\nHello.\r\n"
HOSTNAME = "mail.relay.example"
SENDER = "mail-example"


class TopFieldsTests(SynchronousTestCase):
    """What this house puts on top of a message."""

    def test_order(self) -> None:
        """The trace field comes first, then those for complaints; the message stays."""
        one = evolve(draft(MAIL), account_id=7, origin="rest")
        top = received_field(one, HOSTNAME) + complaint_fields(one, SENDER)
        self.assertEqual(3, top.count("\r\n") - top.count("\r\n\t"))
        self.assertEqual(top.encode() + MAIL, bytes(add_top_fields(one, HOSTNAME, SENDER).content))

    def test_without_complaints(self) -> None:
        """Where no fields for complaints are wanted, there is the trace field alone."""
        one = evolve(draft(MAIL), account_id=7, origin="rest")
        self.assertEqual(
            received_field(one, HOSTNAME).encode() + MAIL,
            bytes(add_top_fields(one, HOSTNAME, "").content),
        )

    def test_nothing(self) -> None:
        """What is our own gets none of them."""
        one = draft(MAIL, Trace("", "", ""))
        self.assertIs(one, add_top_fields(one, HOSTNAME, SENDER))
