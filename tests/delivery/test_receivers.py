import json
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.blocks import FIRST_SECONDS, SERIES, SERIES_OF_ALL
from smtpeter.delivery.pace import ANSWER_SECONDS, LONGEST_NAMED_SECONDS
from smtpeter.delivery.receivers import LIVELY_SECONDS, Receiver
from smtpeter.delivery.restraint import restraint
from smtpeter.message.outcome import Outcome, Verdict
from tests.delivery.house import DEFERRED, DELIVERED, FAILED, FakeLimits

RATE = Outcome(Verdict.DEFERRED, "error", "mailfrom", 421, "4.7.28", "Too many messages")
NAMED = evolve(RATE, text="Rate limited, try again in 5 minutes")
GREY = Outcome(Verdict.DEFERRED, "error", "rcptto", 451, "4.7.1", "Greylisted for 5 minutes")
CROWDED = Outcome(
    Verdict.DEFERRED, "error", "intro", 421, "4.7.0", "Too many concurrent connections"
)
DEAD = Outcome(Verdict.DEFERRED, "timeout", "connect", 0, "4.4.1", "timed out")
REFUSING = Outcome(Verdict.DEFERRED, "lost", "connect", 0, "4.4.1", "Connection refused")
NOWHERE = Outcome(Verdict.DEFERRED, "error", "dns", 0, "4.4.3", "no answer")
NUMBERS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 9), st.floats(), st.just(10**400), st.text(max_size=2)
)


def _like(**fields: Any) -> Any:
    """Something that may have these fields, and may be anything else."""
    return st.one_of(NUMBERS, st.fixed_dictionaries({}, optional=fields))


STATES = _like(
    pace=_like(
        rate=NUMBERS,
        measured=NUMBERS,
        trial=NUMBERS,
        paused_until=NUMBERS,
        pauses=NUMBERS,
        refused_at=NUMBERS,
    ),
    window=_like(learnt=NUMBERS, known=NUMBERS),
    messages_per_connection=NUMBERS,
    blocks=_like(all=_like(refusals=NUMBERS, until=NUMBERS), accounts=NUMBERS),
    suspension=_like(failures=NUMBERS, until=NUMBERS, more=NUMBERS),
    last_replies=st.one_of(NUMBERS, st.lists(st.one_of(NUMBERS, st.lists(NUMBERS)))),
    throttled=st.one_of(NUMBERS, st.lists(NUMBERS)),
    on_their_way=NUMBERS,
)
FULL = Outcome(Verdict.DEFERRED, "error", "rcptto", 452, "4.2.2", "Mailbox full")
SPAM = Outcome(Verdict.FAILED, "error", "message", 550, "5.7.1", "Message rejected as spam")
BLOCKED = Outcome(
    Verdict.FAILED, "error", "rcptto", 550, "5.7.1", "Client host blocked using zen.spamhaus.org"
)
UNAUTHENTICATED = Outcome(
    Verdict.FAILED, "error", "message", 550, "5.7.26", "This mail is unauthenticated"
)
LISTED = Outcome(Verdict.DEFERRED, "error", "mailfrom", 451, "4.7.1", "IP is blacklisted")
OURS = Outcome(Verdict.DEFERRED, "error", "process", 0, "4.3.0", "Internal error")


class ReceiverCase(SynchronousTestCase):
    """A receiver of ten connections."""

    def setUp(self) -> None:
        self.receiver = Receiver("mailbox.example", "", FakeLimits(), 0.0)
        self.now = 100.0

    def hear(self, outcome: Outcome, *, began: float | None = None) -> float | None:
        """Let an attempt end so, one second after it began."""
        self.now += 1
        return self.receiver.heard(outcome, self.now - 1 if began is None else began, self.now)

    def wait(self) -> float:
        return self.receiver.wait(self.now)


class ThrottleTests(ReceiverCase):
    """What a receiver says when it wants less."""

    def test_taken(self) -> None:
        """While it takes mail, or refuses single messages, nothing holds mail up."""
        for outcome in (DELIVERED, FAILED, DEFERRED, OURS):
            self.assertIsNone(self.hear(outcome))
            self.assertEqual(0.0, self.wait())
        self.assertEqual(10, self.receiver.connections)

    def test_rate(self) -> None:
        """When it wants less, all mail to it pauses, and the message comes again soon."""
        self.hear(DELIVERED)
        retry_at = self.hear(RATE)
        assert retry_at is not None
        self.assertGreaterEqual(retry_at, self.now + 1)
        self.assertLess(retry_at, self.now + 60)
        self.assertGreater(self.wait(), 0.0)
        self.assertEqual(10, self.receiver.connections)

    def test_named(self) -> None:
        """A wait that it names is kept, for all mail to it."""
        self.assertEqual(self.now + 1 + 300, self.hear(NAMED))
        self.assertEqual(300.0, self.wait())

    def test_greylisting(self) -> None:
        """Greylisting is about one message: that waits, nothing else does."""
        self.assertEqual(self.now + 1 + 300, self.hear(GREY))
        self.assertEqual(0.0, self.wait())

    def test_connections(self) -> None:
        """When it has too many connections there are fewer, and mail goes on."""
        self.hear(DELIVERED)
        self.assertEqual(self.now + 2, self.hear(CROWDED))
        self.assertEqual(5, self.receiver.connections)
        self.assertEqual(0.0, self.wait())

    def test_not_for_their_number(self) -> None:
        """A receiver that refuses even one connection for a while has as many as before then."""
        for _ in range(8):
            self.hear(CROWDED)
            self.now += self.wait()
        self.assertEqual(10, self.receiver.connections)
        self.hear(DELIVERED)
        self.assertEqual(10, self.receiver.connections)

    def test_only_connection(self) -> None:
        """When it has too many with the only one, mail pauses."""
        self.receiver.limit(FakeLimits(connections=1), 0.0)
        self.hear(CROWDED)
        self.assertGreater(self.wait(), 0.0)

    def test_refused_among_others(self) -> None:
        """A connection that fails while others work is one too many."""
        for outcome in (REFUSING, DEAD):
            self.setUp()
            self.hear(DELIVERED)
            self.assertEqual(self.now + 2, self.hear(outcome))
            self.assertEqual(5, self.receiver.connections)

    def test_decided_rate(self) -> None:
        """A rate that was decided holds from the start, and rests before it is forgotten."""
        self.receiver.limit(FakeLimits(messages_per_second=0.5), self.now)
        self.assertEqual(0.0, self.wait())
        self.assertEqual(2.0, self.wait())
        self.assertEqual(2.0, self.receiver.rest_seconds(self.now))

    def test_lifted(self) -> None:
        """The operator can have all of it forgotten."""
        self.hear(NAMED)
        self.hear(CROWDED)
        self.receiver.lift(self.now)
        self.assertEqual((0.0, 10), (self.wait(), self.receiver.connections))

    def test_withdrawn(self) -> None:
        """When nothing is heard of the message that was to find out, another one goes."""
        self.hear(RATE)
        self.now += 60
        self.assertEqual(0.0, self.wait())
        self.assertEqual(ANSWER_SECONDS, self.wait())
        self.receiver.withdrawn()
        self.assertEqual(0.0, self.wait())

    def test_both_rates(self) -> None:
        """That a rate was decided keeps nobody from asking whether mail is taken again."""
        self.receiver.limit(FakeLimits(messages_per_second=0.1), self.now)
        self.assertEqual(0.0, self.wait())
        self.hear(RATE)
        self.now += 5
        self.assertGreater(self.wait(), 0.0)
        self.now += self.wait()
        self.assertEqual(0.0, self.wait())

    def test_told_to_wait_while_it_is_asked(self) -> None:
        """A wait that is named late, to a message from before, ends like any other."""
        self.hear(RATE)
        self.now += 60
        self.assertEqual(0.0, self.wait())
        asked = self.now
        self.hear(NAMED, began=100.0)
        self.hear(DELIVERED, began=asked)
        self.now += 400
        self.assertEqual(0.0, self.wait())
        self.hear(DELIVERED)
        self.assertLess(self.wait(), 2.0)

    def test_never_heard_of(self) -> None:
        """When nothing is ever heard of the message that asks, another one asks some time."""
        self.hear(RATE)
        self.now += 60
        self.wait()
        self.now += self.wait()
        self.assertEqual(0.0, self.wait())

    def test_clock_is_set_back(self) -> None:
        """When the clock is set back, what was learnt ends no later for it."""
        for outcome in (RATE, CROWDED, DEAD):
            self.setUp()
            self.now = 1e6
            for _ in range(4):
                self.now += 1
                self.hear(outcome)
            before = self.wait()
            self.now -= 86_400
            self.assertLessEqual(self.wait(), before + 0.001)
            self.now += before + 0.001
            self.assertEqual(0.0, self.wait())
            self.hear(DELIVERED)
            self.assertLess(self.wait(), 2.0)


class RefusedTests(ReceiverCase):
    """What is refused, and for what."""

    def test_for_who_we_are(self) -> None:
        """The mail of an account waits when one message after the other is refused for that."""
        for outcome in (BLOCKED, UNAUTHENTICATED, LISTED):
            self.setUp()
            for _ in range(SERIES):
                self.assertEqual(0.0, self.wait())
                self.hear(outcome)
            self.assertEqual(FIRST_SECONDS, self.wait())
            self.assertEqual(0.0, self.receiver.wait(self.now, account=7))
            self.assertTrue(self.receiver.restrained)

    def test_taken_between(self) -> None:
        """Not as long as others are taken between them."""
        for _ in range(10 * SERIES):
            self.hear(BLOCKED)
            self.hear(BLOCKED)
            self.hear(DELIVERED)
        self.assertEqual(0.0, self.wait())

    def test_for_what_it_is(self) -> None:
        """What is refused for a mailbox or a content holds nobody up, however often."""
        for outcome in (FAILED, FULL, SPAM, GREY, DEFERRED):
            self.setUp()
            for _ in range(10 * SERIES):
                self.hear(outcome)
            self.assertEqual((0.0, 10), (self.wait(), self.receiver.connections), outcome)

    def test_end_of_a_connection(self) -> None:
        """That a connection has carried enough, or was idle, is no wish for less."""
        for text in ("Too many messages in this session", "Timeout exceeded", "idle for too long"):
            self.setUp()
            for _ in range(10):
                self.hear(evolve(RATE, status="4.4.2", text=text))
            self.assertEqual((0.0, 10), (self.wait(), self.receiver.connections), text)

    def test_lost_while_it_asks(self) -> None:
        """When nothing is heard of the message that asks, another one asks."""
        for _ in range(SERIES):
            self.hear(BLOCKED)
        self.now += FIRST_SECONDS
        for outcome in (OURS, DEAD, FAILED):
            self.assertEqual(0.0, self.wait(), outcome)
            self.assertGreater(self.wait(), 0.0)
            self.hear(outcome)
        self.receiver.withdrawn()
        self.assertEqual(0.0, self.wait())

    def test_shown(self) -> None:
        """It is told whose mail is refused, or that it is everybody's."""
        for _ in range(SERIES):
            self.hear(BLOCKED)
        told = restraint(FakeLimits(), self.receiver.as_dict(), self.now)
        self.assertEqual(("refusing", [0], 0.0), (told.health, told.refused_accounts, told.until))
        self.assertIn("blocked using", told.why)
        for account in range(SERIES_OF_ALL):
            self.receiver.heard(BLOCKED, self.now, self.now, account)
        told = restraint(FakeLimits(), self.receiver.as_dict(), self.now)
        self.assertEqual("refusing", told.health)
        self.assertGreater(told.until, self.now)


class SilenceTests(ReceiverCase):
    """A receiver that answers nothing."""

    def test_one_at_a_time(self) -> None:
        """While it is not reached, one attempt at a time is made."""
        for outcome in (DEAD, NOWHERE, evolve(DEAD, state="ehlo")):
            self.setUp()
            self.hear(outcome)
            self.assertEqual(1, self.receiver.connections)
            self.hear(OURS)
            self.assertEqual(1, self.receiver.connections)
            self.hear(DEFERRED)
            self.assertEqual(10, self.receiver.connections)

    def test_suspended(self) -> None:
        """After some attempts it is left alone for a time, and messages keep their schedule."""
        for _ in range(3):
            self.assertIsNone(self.hear(DEAD))
        self.assertEqual(30.0, self.wait())
        self.now += 30
        self.assertEqual(0.0, self.wait())

    def test_lively(self) -> None:
        """That it took mail some time ago does not make a dead receiver a crowded one."""
        self.hear(DELIVERED)
        self.now += LIVELY_SECONDS
        self.hear(DEAD)
        self.assertEqual(1, self.receiver.connections)

    def test_no_mail_at_all(self) -> None:
        """A domain that takes no mail is not asked, so it is not suspended for not answering."""
        for _ in range(10):
            self.hear(Outcome(Verdict.FAILED, "error", "dns", 0, "5.1.10", "takes no mail"))
        self.assertEqual((0.0, 10), (self.wait(), self.receiver.connections))

    def test_lost_later(self) -> None:
        """A connection that breaks over a message says nothing of the receiver."""
        for _ in range(10):
            self.hear(Outcome(Verdict.DEFERRED, "lost", "data", 0, "4.4.2", "lost"))
        self.assertEqual((0.0, 10), (self.wait(), self.receiver.connections))


class KeptTests(ReceiverCase):
    """What outlives the process."""

    def test_nothing_to_keep(self) -> None:
        """Of a receiver that takes what it gets nothing is kept."""
        self.hear(DELIVERED)
        self.assertFalse(self.receiver.restrained)

    def test_restored(self) -> None:
        """What was learnt is known again."""
        self.hear(DELIVERED)
        self.hear(CROWDED)
        self.hear(NAMED)
        for _ in range(2):
            self.receiver.connection_ended(20, 0.0)
        self.assertTrue(self.receiver.restrained)
        kept = json.loads(json.dumps(self.receiver.as_dict()))
        again = Receiver("mailbox.example", "", FakeLimits(), self.now)
        again.restore(kept, self.now)
        self.assertEqual(kept, again.as_dict())
        self.assertEqual(5, again.connections)
        self.assertEqual(300.0, again.wait(self.now))
        self.assertTrue(again.connection_used_up(20))

    @given(STATES)
    def test_unreadable(self, kept: Any) -> None:
        """Whatever is kept by another release, or was spoilt, it can be taken up and shown."""
        now = 1_000.0
        receiver = Receiver("mailbox.example", "", FakeLimits(), now)
        receiver.restore(kept, now)
        json.dumps(receiver.as_dict(), allow_nan=False)
        told = restraint(FakeLimits(), kept, now)
        self.assertLessEqual(told.until, now + LONGEST_NAMED_SECONDS)
        self.assertGreaterEqual(told.connections, 1)
        self.assertGreaterEqual(told.messages_per_connection, 1)
        now += LONGEST_NAMED_SECONDS
        self.assertEqual(0.0, receiver.wait(now))
        receiver.heard(DELIVERED, now, now + 1)
        self.assertLess(receiver.wait(now + 1), 601)
        receiver.heard(RATE, now + 1, now + 2)

    def test_in_part(self) -> None:
        """What an older release did not know is as if nothing was learnt."""
        self.receiver.restore({"window": {"learnt": 3, "known": 5}}, self.now)
        self.assertEqual((3, 0.0), (self.receiver.connections, self.wait()))

    def test_restored_within_a_pause(self) -> None:
        """A restart in the middle of a pause does not make a receiver slow."""
        self.hear(RATE)
        again = Receiver("mailbox.example", "", FakeLimits(), self.now)
        again.restore(self.receiver.as_dict(), self.now)
        self.now += again.wait(self.now)
        self.assertEqual(0.0, again.wait(self.now))
        again.heard(DELIVERED, self.now, self.now + 0.1)
        self.assertLess(again.wait(self.now + 0.1), 2.0)

    def test_shown(self) -> None:
        """What holds is told with its reason."""
        told = restraint(FakeLimits(), {}, self.now)
        self.assertEqual(("ok", 10, ""), (told.health, told.connections, told.why))
        self.assertEqual("10 connections", told.words())
        self.hear(NAMED)
        told = restraint(FakeLimits(), self.receiver.as_dict(), self.now)
        self.assertEqual(("paused", self.now + 300), (told.health, told.until))
        self.assertIn("try again in 5 minutes", told.why)
        self.now += 301
        self.wait()
        self.hear(DELIVERED)
        told = restraint(FakeLimits(messages_per_second=3.0), self.receiver.as_dict(), self.now)
        self.assertEqual("throttled", told.health)
        assert told.messages_per_second is not None
        self.assertLess(told.messages_per_second, 3.0)
        self.assertIn("throttled: 10 connections, ", told.words())

    def test_shown_suspended(self) -> None:
        """A receiver that does not answer is shown as such."""
        for _ in range(3):
            self.hear(DEAD)
        told = restraint(FakeLimits(), self.receiver.as_dict(), self.now)
        self.assertEqual(
            ("suspended", 1, "timed out", self.now + 30),
            (told.health, told.connections, told.why, told.until),
        )
        self.assertEqual("suspended: 1 connection", told.words())
