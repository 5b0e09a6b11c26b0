import time

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.dkim import sign
from smtpeter.transform.signing import signed
from smtpeter.transform.topfields import add_top_fields
from tests.transform.drafts import draft
from tests.verifying import published, signing_keys, verdicts

MESSAGE = b"From: noor@shop.example\r\nSubject: On its way\r\n\r\nIt is on its way.\r\n"


class SignedTests(SynchronousTestCase):
    """The last stage of all."""

    def test_signed(self) -> None:
        """The signatures stand on top, in the order of their keys, and hold."""
        keys = signing_keys()
        before = add_top_fields(draft(MESSAGE), "mail.relay.example", "")
        after = signed(before, keys, time.time())
        octets = bytes(after.content)
        self.assertTrue(octets.endswith(bytes(before.content)))
        self.assertEqual(
            ["dkim-signature", "dkim-signature", "received"],
            [field.name for field in after.content.fields()[:3]],
        )
        self.assertLess(octets.index(b"s=zero"), octets.index(b"s=one"))
        self.assertEqual([True, True], verdicts(octets, 2, published(keys)))

    def test_nothing_else(self) -> None:
        """Nothing but the content changes."""
        before = draft(MESSAGE)
        after = signed(before, signing_keys(), 1_795_174_425)
        self.assertEqual(before.message_id, after.message_id)
        fields = sign(before.content, signing_keys(), 1_795_174_425)
        self.assertEqual(fields + MESSAGE, bytes(after.content))

    def test_no_keys(self) -> None:
        """Who has no key signs nothing."""
        before = draft(MESSAGE)
        self.assertIs(before, signed(before, [], 1_795_174_425))
