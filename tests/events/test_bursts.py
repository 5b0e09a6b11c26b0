from twisted.trial.unittest import SynchronousTestCase

from smtpeter.events.bursts import LIMIT, MESSAGES_LIMIT, Bursts
from smtpeter.events.signals import LINKS_WINDOW_SECONDS
from smtpeter.events.visit import Visit
from tests.events.house import NOW, visit


class BurstTests(SynchronousTestCase):
    """What was asked for a moment ago."""

    def setUp(self) -> None:
        self.bursts = Bursts()

    def note(self, *visits: Visit) -> None:
        for each in visits:
            self.bursts.note(each)

    def test_different_links(self) -> None:
        """Different links count, the same link again does not."""
        self.note(visit(1), visit(2), visit(2), visit(3))
        self.assertEqual(3, self.bursts.different_links(visit(1)))
        self.assertEqual(4, self.bursts.different_links(visit(9)))

    def test_nothing_known(self) -> None:
        """The first visit of a message is one link."""
        self.assertEqual(1, self.bursts.different_links(visit()))
        self.assertEqual("GET", self.bursts.method(visit()))

    def test_window(self) -> None:
        """What was long ago, or comes long after, does not count."""
        self.note(visit(1), visit(2, time=NOW + LINKS_WINDOW_SECONDS), visit(3, time=NOW + 100))
        self.assertEqual(2, self.bursts.different_links(visit(1)))
        self.assertEqual(1, self.bursts.different_links(visit(3, time=NOW + 100)))

    def test_kinds(self) -> None:
        """The images of a message are not its links."""
        self.note(visit(1), visit(2, kind="open"), visit(3, kind="open"))
        self.assertEqual(1, self.bursts.different_links(visit(1)))
        self.assertEqual(2, self.bursts.different_links(visit(2, kind="open")))

    def test_messages(self) -> None:
        """Every message is looked at alone."""
        self.note(visit(1), visit(2, message="another"))
        self.assertEqual(1, self.bursts.different_links(visit(1)))

    def test_head(self) -> None:
        """Who has sent a HEAD for a message is known by it, and nobody else is."""
        self.note(visit(1, method="HEAD"))
        self.assertEqual("HEAD", self.bursts.method(visit(2)))
        self.assertEqual("GET", self.bursts.method(visit(2, address="203.0.113.10")))
        self.assertEqual("GET", self.bursts.method(visit(2, message="another")))
        self.assertEqual("GET", self.bursts.method(visit(2, time=NOW + 100)))

    def test_honeypot(self) -> None:
        """Who has followed the link that nobody sees is known by it at all other links."""
        self.note(visit(1, honeypot=True))
        self.assertTrue(self.bursts.honeypot(visit(1, honeypot=True)))
        self.assertTrue(self.bursts.honeypot(visit(2)))
        self.assertFalse(self.bursts.honeypot(visit(2, address="203.0.113.10")))
        self.assertFalse(self.bursts.honeypot(visit(2, message="another")))
        self.assertFalse(self.bursts.honeypot(visit(2, time=NOW + 100)))

    def test_no_address(self) -> None:
        """Of two without an address nobody knows whether they are one."""
        self.note(visit(1, address="", honeypot=True), visit(2, address="", method="HEAD"))
        self.assertFalse(self.bursts.honeypot(visit(3, address="")))
        self.assertEqual("GET", self.bursts.method(visit(3, address="")))

    def test_bounded(self) -> None:
        """Of many messages, links and addresses only the latest are remembered."""
        for number in range(LIMIT + 10):
            self.note(visit(number, method="HEAD", address=f"203.0.113.{number}"))
        self.assertEqual(LIMIT, self.bursts.different_links(visit(LIMIT)))
        self.assertEqual("GET", self.bursts.method(visit(address="203.0.113.0")))
        self.note(*(visit(message=str(number)) for number in range(MESSAGES_LIMIT)))
        self.assertEqual(1, self.bursts.different_links(visit(LIMIT)))
        self.assertEqual(MESSAGES_LIMIT, len(self.bursts._messages))
