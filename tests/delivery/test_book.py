from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery import book
from smtpeter.delivery.book import ReceiverBook
from smtpeter.delivery.receivers import Receiver
from smtpeter.delivery.resolver import MailExchanger
from smtpeter.delivery.route import Way
from smtpeter.message.outcome import Outcome, Verdict
from tests.delivery.house import FakeLimits

RATE = Outcome(Verdict.DEFERRED, "error", "mailfrom", 421, "4.7.28", "Too many messages, slow down")
ONE = Way("one.example", "hoster.example", (MailExchanger(0, "mx.hoster.example"),))
TWO = Way("two.example", "hoster.example", (MailExchanger(0, "mx.hoster.example"),))
OTHER = Way("other.example", "other.example", ())


class BookTests(SynchronousTestCase):
    """The receivers that are known."""

    def setUp(self) -> None:
        self.limits = FakeLimits()
        self.book = ReceiverBook(lambda way: (way.receiver, self.limits))

    def test_shared(self) -> None:
        """Ways to the same receiver lead to one, those of another pool to another."""
        here = self.book.receiver_at(ONE, "", 0.0)
        self.assertIs(here, self.book.receiver_at(TWO, "", 0.0))
        self.assertIs(here, self.book.named("hoster.example"))
        there = self.book.receiver_at(TWO, "news", 0.0)
        self.assertIsNot(here, there)
        self.assertEqual(("hoster.example (news)", "news"), (there.name, there.pool))

    def test_other_limits(self) -> None:
        """Limits that have changed hold from the next look on."""
        receiver = self.book.receiver_at(ONE, "", 0.0)
        self.limits = FakeLimits(connections=2)
        self.book.receiver_at(ONE, "", 1.0)
        self.assertEqual(2, receiver.connections)

    def test_news(self) -> None:
        """It is told once where mail goes, and what was learnt whenever there is more."""
        receiver = self.book.receiver_at(ONE, "", 0.0)
        self.book.touched(receiver)
        news = self.book.news()
        assert news is not None
        self.assertEqual({}, news.states)
        self.assertEqual(
            [("one.example", "hoster.example", ("mx.hoster.example",))],
            [(each.name, each.receiver, each.hosts) for each in news.found],
        )
        self.book.receiver_at(ONE, "", 1.0)
        self.assertIsNone(self.book.news())
        receiver.heard(RATE, 1.0, 2.0)
        self.book.touched(receiver)
        news = self.book.news()
        assert news is not None
        self.assertEqual({"hoster.example": receiver.as_dict()}, news.states)

    def test_not_written(self) -> None:
        """What could not be written is told again."""
        receiver = self.book.receiver_at(ONE, "", 0.0)
        receiver.heard(RATE, 1.0, 2.0)
        self.book.touched(receiver)
        news = self.book.news()
        assert news is not None
        self.book.not_written(news)
        self.assertEqual(news, self.book.news())

    def test_restored(self) -> None:
        """What was written is known again when mail comes for the receiver."""
        receiver = self.book.receiver_at(ONE, "", 0.0)
        receiver.heard(RATE, 1.0, 2.0)
        again = ReceiverBook(lambda way: (way.receiver, self.limits))
        again.restore({receiver.name: receiver.as_dict()})
        restored = again.receiver_at(ONE, "", 3.0)
        self.assertEqual(receiver.as_dict(), restored.as_dict())
        restored.lift(4.0)
        restored.last_replies.clear()
        again.touched(restored)
        news = again.news()
        assert news is not None
        self.assertEqual(["hoster.example"], news.unremarkable)

    def test_spoilt(self) -> None:
        """What cannot be read of a receiver is as if it was not there, and is told once."""
        with capturedLogs() as logged:
            self.book.restore({"hoster.example": None, "one.example": [], "other.example": {}})
        self.assertEqual([LogLevel.error], [each["log_level"] for each in logged])
        for each in (ONE, OTHER):
            self.assertEqual(0.0, self.book.receiver_at(each, "", 1.0).wait(1.0))

    def test_retired(self) -> None:
        """Without work a receiver is forgotten, unless something was learnt of it."""
        plain, throttled = (self.book.receiver_at(each, "", 0.0) for each in (OTHER, ONE))
        throttled.heard(RATE, 1.0, 2.0)
        for each in (plain, throttled):
            self.book.retired(each, 3.0)
        self.assertIsNone(self.book.named("other.example"))
        self.assertIs(throttled, self.book.named("hoster.example"))

    def test_left_before_the_message_came_home(self) -> None:
        """A receiver whose lane has left is forgotten with its last message."""
        receiver = self.book.receiver_at(OTHER, "", 0.0)
        receiver.on_their_way = 1
        self.book.retired(receiver, 1.0)
        self.assertIs(receiver, self.book.named("other.example"))
        receiver.on_their_way = 0
        self.book.retired(receiver, 2.0)
        self.assertIsNone(self.book.named("other.example"))

    def test_back_at_work(self) -> None:
        """A receiver that rests is known when there is mail for it again, and not forgotten."""
        self.patch(book, "REMEMBERED", 1)
        receiver = self.book.receiver_at(ONE, "", 0.0)
        receiver.heard(RATE, 1.0, 2.0)
        self.book.retired(receiver, 3.0)
        self.assertIs(receiver, self.book.receiver_at(ONE, "", 4.0))
        receiver.lanes = 1
        for number in range(3):
            self.resting(number)
        self.assertIs(receiver, self.book.named("hoster.example"))

    def resting(self, number: int) -> Receiver:
        """A receiver with a refusal and without work."""
        name = f"{number}.example"
        receiver = self.book.receiver_at(Way(name, name, ()), "", 0.0)
        receiver.heard(RATE, 1.0, 2.0)
        self.book.touched(receiver)
        self.book.retired(receiver, 3.0)
        return receiver

    def test_rate_rests(self) -> None:
        """A receiver is not forgotten before its rate has rested."""
        self.limits = FakeLimits(messages_per_second=0.1)
        receiver = self.book.receiver_at(ONE, "", 0.0)
        receiver.wait(0.0)
        self.book.retired(receiver, 1.0)
        self.assertIs(receiver, self.book.named("hoster.example"))

    def test_bounded(self) -> None:
        """Of very many receivers the one that had work longest ago is forgotten."""
        self.patch(book, "REMEMBERED", 3)
        for number in range(3):
            self.resting(number)
        self.book.news()
        for number in range(3, 6):
            self.resting(number)
        known = [n for n in range(6) if self.book.named(f"{n}.example")]
        self.assertEqual([3, 4, 5], known)
        news = self.book.news()
        assert news is not None
        self.assertEqual(["3.example", "4.example", "5.example"], list(news.states))
        self.assertEqual(["0.example", "1.example", "2.example"], news.unremarkable)
        self.book.not_written(news)
        again = self.book.news()
        assert again is not None
        self.assertEqual((news.states, news.unremarkable), (again.states, again.unremarkable))

    def test_a_part_at_a_time(self) -> None:
        """Of very much news a part is told at a time."""
        self.patch(book, "NEWS_AT_ONCE", 2)
        for number in range(5):
            self.resting(number)
        self.assertEqual(3, self.book.waiting)
        told = [self.book.news() for _ in range(4)]
        self.assertEqual([2, 2, 1], [len(each.states) for each in told if each])
        self.assertEqual((None, 0), (told[3], self.book.waiting))

    def test_where_mail_goes(self) -> None:
        """It is told anew after a day, so that it is not removed while mail goes there."""
        for now, told in ((0.0, 1), (10.0, 0), (book.FRESH_SECONDS, 1), (0.0, 1), (1.0, 0)):
            self.book.receiver_at(ONE, "", now)
            news = self.book.news()
            self.assertEqual(told, len(news.found) if news else 0, now)

    def test_destinations_are_bounded(self) -> None:
        """Of very many destinations that nobody could write down the latest are told."""
        self.patch(book, "KNOWN_DESTINATIONS", 2)
        for number in range(4):
            self.book.receiver_at(Way(f"{number}.example", "hoster.example", ()), "", 0.0)
        news = self.book.news()
        assert news is not None
        self.assertEqual(["2.example", "3.example"], [each.name for each in news.found])
