from twisted.trial.unittest import SynchronousTestCase

from smtpeter.arrivals.tracing import message_ids
from smtpeter.message.bounceaddress import BounceAddresses
from smtpeter.message.incoming.findings import Complaint, Returned
from tests.store.cases import NOW

FIRST = "7hQx2LmPzR9aTc04"
SECOND = "9aKd0VtYwE3nSb51"
ADDRESSES = BounceAddresses(b"k" * 32)
LOCAL = ADDRESSES.make(FIRST, NOW)


def ids(*fields: tuple[str, str], mail_from: str = "") -> list[str]:
    complaint = Complaint("abuse", mail_from=mail_from, returned=Returned(fields))
    return message_ids(complaint, ADDRESSES, NOW)


class TracingTests(SynchronousTestCase):
    """A complaint leads to its message."""

    def test_bounce_address(self) -> None:
        """By the bounce address with which it was sent, however it is written."""
        for path in (f"<{LOCAL}@bounces.shop.example>", f" {LOCAL.upper()}@B.example"):
            self.assertEqual([FIRST], ids(("return-path", path)))
            self.assertEqual([FIRST], ids(mail_from=path))

    def test_field(self) -> None:
        """By the field that we have put into it."""
        self.assertEqual([SECOND], ids(("x-message-id", SECOND)))

    def test_all(self) -> None:
        """What proves itself comes first; each id is named once."""
        found = ids(
            ("x-message-id", SECOND),
            ("x-message-id", FIRST),
            ("return-path", f"<{LOCAL}@b.example>"),
            mail_from=f"<{LOCAL}@b.example>",
        )
        self.assertEqual([FIRST, SECOND], found)

    def test_nothing(self) -> None:
        """What looks otherwise leads nowhere."""
        for path in ("<>", "", "noor@shop.example", f"<{'a' * 32}@b.example>", "<\n@"):
            self.assertEqual([], ids(("return-path", path), mail_from=path))
        for value in ("", "<1@shop.example>", SECOND[:-1], SECOND + "x"):
            self.assertEqual([], ids(("x-message-id", value)))

    def test_few(self) -> None:
        """However many are named, few are looked up."""
        many = [("x-message-id", f"{number:016}") for number in range(500)]
        self.assertEqual(20, len(ids(*many)))
