from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.reportwords import About, subject, text

ANY_TEXT = st.text(max_size=300)


def about(**changed: Any) -> About:
    """What there is to tell about somebody who does not exist."""
    told: dict[str, Any] = {
        "address": "kees@mailbox.example",
        "action": "failed",
        "status": "5.1.1",
        "code": 550,
        "reply": "550 5.1.1 No such user here",
        "server": "mx.mailbox.example",
        "until": "",
    }
    return About(**(told | changed))


def words(*recipients: About, of: str = "Your order") -> str:
    """The text about these recipients."""
    return text("mail.relay.example", "Tue, 14 Nov 2023 22:13:20 +0000", of, recipients)


class SubjectTests(SynchronousTestCase):
    """The subject of a report."""

    def test_worst_first(self) -> None:
        """Where recipients differ, the worst that happened gives the subject."""
        self.assertEqual("Your message could not be delivered", subject({"delayed", "failed"}))
        self.assertEqual("Your message is delayed", subject({"delayed", "delivered"}))
        self.assertEqual("Your message was delivered", subject({"delivered"}))


class TextTests(SynchronousTestCase):
    """What a person reads."""

    def test_failure(self) -> None:
        """A failure tells whom, what the server said, and what to do."""
        self.assertEqual(
            "This is an automatic report of the mail server mail.relay.example.\n\n"
            "About: your message of Tue, 14 Nov 2023 22:13:20 +0000\n"
            "       Your order\n\n"
            "It could not be delivered to\n\n"
            "    kees@mailbox.example\n\n"
            "The mail server mx.mailbox.example said:\n\n"
            "    550 5.1.1 No such user here\n\n"
            "The address is wrong or not in use. Look for a typing mistake, or ask\n"
            "the recipient for the right address.\n\n"
            "The attachments repeat this for mail programs.\n",
            words(about()),
        )

    def test_advice_follows_status(self) -> None:
        """The advice fits the reason, and there is one for every reason."""
        self.assertIn("is full", words(about(status="5.2.2")))
        self.assertIn("too large", words(about(status="5.3.4")))
        self.assertIn("by its own rules", words(about(status="5.7.26")))
        self.assertIn("No attempt was made", words(about(status="5.7.1", code=0, server="")))
        self.assertIn("show this report", words(about(status="5.0.0")))

    def test_given_up(self) -> None:
        """After temporary failures a person learns that no attempt follows."""
        given_up = words(about(status="4.4.1", code=0, reply="Connection refused", server=""))
        self.assertIn("no more are made", given_up)
        self.assertIn("The reason:\n\n    Connection refused", given_up)

    def test_delay(self) -> None:
        """A delay asks nothing of the reader and tells how long it may last."""
        told = words(
            about(action="delayed", status="4.7.1", until="Wed, 15 Nov 2023 00:00:00 +0000")
        )
        self.assertIn("could not yet be delivered", told)
        self.assertIn("until Wed, 15 Nov 2023 00:00:00 +0000", told)
        self.assertNotIn("Look for", told)

    def test_success(self) -> None:
        """A delivery promises no more than it knows."""
        self.assertIn("not mean that it has been read", words(about(action="delivered")))
        self.assertIn("sends no confirmations", words(about(action="relayed")))

    def test_every_recipient(self) -> None:
        """Each recipient is told about."""
        told = words(about(), about(address="noor@mailbox.example", action="delivered"))
        self.assertLess(told.index("kees@"), told.index("noor@"))

    def test_encoded_subject(self) -> None:
        """The subject is shown as its writer saw it."""
        self.assertIn("       Grüße\n", words(about(), of="=?utf-8?q?Gr=C3=BC=C3=9Fe?="))

    def test_broken_subject(self) -> None:
        """A subject that cannot be decoded is shown as it came."""
        for broken in ("=?utf-8?b?a?=", "=?no-such-charset?q?a?="):
            self.assertIn(broken, words(about(), of=broken))

    @given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
    def test_nothing_but_text(self, reply: str, server: str, of: str, status: str) -> None:
        """Whatever others say, the text has plain lines of bounded length."""
        told = words(about(reply=reply, server=server, status=status), of=of)
        for line in told.split("\n"):
            self.assertTrue(line.isprintable(), line)
            self.assertLess(len(line), 400)
