from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.classification import (
    LONGEST_WAIT_SECONDS,
    TEXT_CHARACTERS,
    ReplyClass,
    classify,
    is_hard_mailbox_failure,
    is_throttle,
    named_wait_seconds,
    prepare,
)
from smtpeter.values import frozen

TABLE = Path(__file__).with_name("replies.tsv")
LEAST_REPLIES = 250
LEAST_OF_A_CLASS = 3
STATES = ("", "connect", "intro", "ehlo", "mailfrom", "rcptto", "data", "message", "process")
WORDS = (
    *("user", "unknown", "mailbox", "full", "quota", "exceeded", "blocked", "spam", "too many"),
    *("greylisted", "try again", "later", "in 5 minutes", "00:05:00", "4.7.1", "(#5.1.1)", "rate"),
    *("not found", "<a@b.example>", "\n"),
)
TEXTS = st.text(max_size=300) | st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join)
# What a server can say, and some that it cannot.
REPLIES = st.tuples(
    st.integers(-1, 700),
    st.from_regex(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True) | st.text(max_size=8),
    TEXTS,
    st.sampled_from(STATES) | st.text(max_size=8),
)


@frozen
class Example:
    """A line of the table: a reply, its class, and the marks for what else follows from it."""

    meaning: str
    marks: str
    code: int
    status: str
    state: str
    text: str


def examples() -> Iterator[Example]:
    """The table, with the statuses that replies without one are given."""
    for line in TABLE.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            meaning, marks, code, status, state, text = line.split("\t")
            status = f"{code[0]}.0.0" if status == "-" else status
            state = "" if state == "-" else state
            yield Example(meaning, marks, int(code), status, state, text.replace("\\n", "\n"))


def reply(
    code: int, text: str, status: str = "", state: str = "rcptto"
) -> tuple[int, str, str, str]:
    """The arguments for a reply to RCPT."""
    return code, status or f"{code // 100}.0.0", text, state


class TableTests(SynchronousTestCase):
    """What real servers say."""

    def test_table(self) -> None:
        """Each reply has its class, and is a throttle or a hard failure where it is marked so."""
        wrong = []
        for each in examples():
            said = (each.code, each.status, each.text, each.state)
            marks = "t" * is_throttle(*said) + "h" * is_hard_mailbox_failure(*said) or "-"
            if (classify(*said).value, marks) != (each.meaning, each.marks):
                wrong.append((each, classify(*said).value, marks))
        self.assertEqual([], wrong)

    def test_size(self) -> None:
        """The table is large, names no reply twice, and has several of each class."""
        table = list(examples())
        classes = Counter(each.meaning for each in table)
        self.assertGreaterEqual(len(table), LEAST_REPLIES)
        self.assertEqual(len(table), len(set(table)))
        for meaning in set(ReplyClass) - {ReplyClass.OTHER}:
            self.assertGreaterEqual(classes[meaning.value], LEAST_OF_A_CLASS, meaning)


class ClassifyTests(SynchronousTestCase):
    """Why a message was not taken."""

    def test_text_beats_status(self) -> None:
        """A text that contradicts a status is believed, whatever the status."""
        text = "Message refused, 192.0.2.7 is on the blacklist"
        for status in ("5.0.0", "5.1.1", "5.2.1", "5.2.2", "5.3.0", "5.7.1", ""):
            self.assertIs(ReplyClass.REPUTATION, classify(550, status, text, "rcptto"), status)

    def test_status_where_text_says_nothing(self) -> None:
        """A text without any meaning leaves it to the status, and then to the code."""
        self.assertIs(ReplyClass.MAILBOX, classify(*reply(550, "Nee", "5.1.1")))
        self.assertIs(ReplyClass.FULL, classify(*reply(452, "Nee", "4.2.2")))
        self.assertIs(ReplyClass.BROKEN, classify(*reply(451, "Nee")))
        self.assertIs(ReplyClass.OTHER, classify(*reply(550, "Nee")))

    def test_status_within_the_text(self) -> None:
        """A status that stands in the text counts; an address or a version is none."""
        self.assertIs(ReplyClass.MAILBOX, classify(*reply(550, "Nee (#5.1.1)")))
        self.assertIs(ReplyClass.MAILBOX, classify(*reply(550, "5.1.1: Nee")))
        self.assertIs(ReplyClass.OTHER, classify(*reply(550, "Nee 5.1.1.4")))
        self.assertIs(ReplyClass.OTHER, classify(*reply(550, "Nee 15.1.1")))

    def test_addresses_say_nothing(self) -> None:
        """Words within a mail address are not the server's."""
        text = "<spam.blocked@greylist.example>: User unknown"
        self.assertIs(ReplyClass.MAILBOX, classify(*reply(550, text)))

    def test_sender_is_no_recipient(self) -> None:
        """What is said of a mailbox before RCPT is about the sender."""
        for state in ("mailfrom", "ehlo", "intro", "connect"):
            self.assertIsNot(ReplyClass.MAILBOX, classify(550, "5.1.1", "User unknown", state))
        text = "Sender verify failed\nThe callout got: 550 no such user here"
        self.assertIs(ReplyClass.POLICY, classify(*reply(550, text)))

    @given(REPLIES)
    def test_any_reply(self, said: tuple[int, str, str, str]) -> None:
        """Whatever is said has a class, and a hard failure is always that of a mailbox."""
        meaning = classify(*said)
        if is_hard_mailbox_failure(*said):
            self.assertIs(ReplyClass.MAILBOX, meaning)
            self.assertFalse(is_throttle(*said))
        if is_throttle(*said):
            self.assertGreaterEqual(said[0], 400)

    @given(REPLIES, st.text(max_size=50))
    def test_long_texts(self, said: tuple[int, str, str, str], more: str) -> None:
        """Only the beginning of a text is looked at."""
        code, status, text, state = said
        text = text.ljust(TEXT_CHARACTERS, ".")[:TEXT_CHARACTERS]
        longer = text + more + " user unknown" * 1000
        self.assertIs(classify(code, status, text, state), classify(code, status, longer, state))
        self.assertEqual(named_wait_seconds(text), named_wait_seconds(longer + "wait 5 minutes"))

    @given(st.sampled_from(list(examples())), st.sampled_from(["\n", "   ", "\t"]), st.booleans())
    def test_writing(self, each: Example, blank: str, capitals: bool) -> None:  # noqa: FBT001
        """Capitals, blanks, and where lines end make no difference."""
        text = each.text.upper() if capitals else each.text.lower()
        text = f" {text.replace(' ', blank)} "
        assume(len(text) <= TEXT_CHARACTERS)
        meaning = classify(each.code, each.status, text, each.state)
        self.assertEqual(each.meaning, meaning.value)

    def test_prepare(self) -> None:
        """All that is needed can be made ready beforehand: each pattern is a regular expression."""
        prepare()


class ThrottleTests(SynchronousTestCase):
    """Whether the receiver wants less."""

    def test_421(self) -> None:
        """A 421 asks for less unless it is about something that less mail does not change."""
        self.assertTrue(is_throttle(*reply(421, "Not now")))
        self.assertTrue(is_throttle(*reply(421, "Not now", "4.7.0")))
        self.assertTrue(is_throttle(*reply(421, "Service not available")))
        self.assertFalse(is_throttle(*reply(421, "TLS is required", "4.7.0")))
        self.assertFalse(is_throttle(*reply(421, "mailbox is full")))
        self.assertFalse(is_throttle(*reply(421, "Greylisted")))

    def test_end_of_a_connection(self) -> None:
        """Nor when it closes a connection that was idle, long, or full."""
        for text in (
            "Timeout exceeded, closing connection",
            "Closing connection after 100 messages",
            "Too many messages in this session",
            "idle timeout",
            "Server is shutting down",
        ):
            self.assertFalse(is_throttle(*reply(421, text, "4.4.2")), text)

    def test_one_mailbox(self) -> None:
        """A mailbox that gets too much says nothing about the rest of the receiver."""
        said = reply(
            450, "The user you are trying to contact is receiving mail too quickly", "4.2.1"
        )
        self.assertIs(ReplyClass.RATE, classify(*said))
        self.assertFalse(is_throttle(*said))

    def test_permanent(self) -> None:
        """Who refuses for good because of a rate asks for less as well."""
        self.assertTrue(is_throttle(*reply(550, "Ip frequency limited")))

    def test_no_reply(self) -> None:
        """Where no server spoke, and where one agreed, none asked for anything."""
        self.assertFalse(is_throttle(0, "4.4.2", "too many connections", "connect"))
        self.assertFalse(is_throttle(250, "2.0.0", "too many", "message"))


class HardFailureTests(SynchronousTestCase):
    """Who is never to be written to again."""

    def test_permanent(self) -> None:
        """Only a permanent reply is hard; a report without a reply code has its status."""
        self.assertTrue(is_hard_mailbox_failure(*reply(550, "User unknown", "5.1.1")))
        self.assertFalse(is_hard_mailbox_failure(*reply(450, "User unknown", "4.1.1")))
        self.assertTrue(is_hard_mailbox_failure(0, "5.1.1", "User unknown"))
        self.assertFalse(is_hard_mailbox_failure(0, "4.1.1", "User unknown"))
        self.assertFalse(is_hard_mailbox_failure(0, "", "User unknown"))

    def test_contradicted(self) -> None:
        """A code for an unknown mailbox is not believed when the text tells of something else."""
        for text in (
            "blocked using zen.spamhaus.org",
            "rejected, DMARC policy",
            "Relay access denied",
            "too many connections",
            "message looks like spam",
            "mailbox is full",
            "Sender address rejected: Domain not found",
        ):
            self.assertFalse(is_hard_mailbox_failure(*reply(550, text, "5.1.1")), text)

    def test_said_of_something_else(self) -> None:
        """Words for a missing mailbox count only where they are said of one."""
        for text in (
            "Mail system is currently unavailable",
            "Client address 192.0.2.7 not found in DNS",
            'relation "users" does not exist',
            "We no longer accept mail from your network",
            "User authentication disabled",
            "cannot open home directory: permission denied",
            "Message to user kees contains an invalid attachment",
            "Recipient address rejected: unknown error",
            "Your account is inactive",
            "Return path user unknown",
            "Mail from unknown users is not accepted",
            "Message rejected: account of the sender suspended",
            "user <kees@firm.example> rejects mail from unknown senders",
        ):
            self.assertFalse(is_hard_mailbox_failure(*reply(550, text)), text)

    def test_not_sure(self) -> None:
        """What may pass, and what is about a whole domain, is not hard."""
        for text in ("Mailbox temporarily disabled", "Domain other.example is not hosted here"):
            said = reply(550, text, "5.2.1")
            self.assertIs(ReplyClass.MAILBOX, classify(*said), text)
            self.assertFalse(is_hard_mailbox_failure(*said), text)

    def test_our_own_word(self) -> None:
        """What DNS tells us is no word of a mail server."""
        self.assertFalse(is_hard_mailbox_failure(0, "5.1.1", "User unknown", "dns"))


class NamedWaitTests(SynchronousTestCase):
    """How long a server asks to wait."""

    def test_named(self) -> None:
        """A wait is found in the many ways in which it is written."""
        for text, seconds in (
            ("Try again in 5 minutes", 300),
            ("please try again later in 2 hours", 7200),
            ("retry after 300 seconds", 300),
            ("Retry-After: 120", 120),
            ("retry after 90", 90),
            ("wait 60s", 60),
            ("Please wait at least 10 min.", 600),
            ("Greylisted for 299 seconds", 299),
            ("Greylisting in action, please come back in 00:05:00", 300),
            ("Greylisting in action, please come\nback in 01:05:10", 3910),
            ("you have been greylisted, retry in 1h30m", 5400),
            ("come back in 4 minutes and 59 seconds", 299),
            ("come back in 1 hour, 2 minutes, 3 seconds", 3723),
            ("try again in an hour", 3600),
            ("try again in half an hour", 1800),
            ("try again after one minute", 60),
            ("In 15 minutes, please try again", 900),
            ("Temporarily blocked for the next 30 minutes", 1800),
            ("delayed, 42 seconds remaining", 42),
            ("retry in 0.5 seconds", 0.5),
            ("wait PT5M", 300),
            ("wait P1DT2H", 86_400),
            ("try again in 3 days", 86_400),
            ("wait 999999 days", 86_400),
        ):
            self.assertEqual(seconds, named_wait_seconds(text), text)

    def test_not_named(self) -> None:
        """Other times and numbers are no waits."""
        for text in (
            "",
            "Try again later",
            "try again later, and have a nice day",
            "try again in a few minutes",
            "Timeout after 300 seconds",
            "You sent 500 messages in 10 minutes. Try again later",
            "limit is 100 messages per 5 minutes",
            "The mailbox has not been used for 90 days",
            "Try again later (4.7.1) 192.0.2.5",
            "retry after 2030-01-01T00:00:00Z",
            "wait 0 seconds",
            "Greylisted, see http://postgrey.example/help/5.html",
        ):
            self.assertIsNone(named_wait_seconds(text), text)

    @given(TEXTS)
    def test_any_text(self, text: str) -> None:
        """Whatever is said, a wait is more than nothing and a day at most."""
        seconds = named_wait_seconds(text)
        if seconds is not None:
            self.assertGreater(seconds, 0)
            self.assertLessEqual(seconds, LONGEST_WAIT_SECONDS)

    @given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
    def test_every_time(self, hours: int, minutes: int, seconds: int) -> None:
        """However a time is written, it is understood as the same."""
        total = hours * 3600 + minutes * 60 + seconds
        for written in (
            f"{total} seconds",
            f"{hours:02}:{minutes:02}:{seconds:02}",
            f"{hours}h{minutes}m{seconds}s",
            f"{hours} hours, {minutes} minutes and {seconds} seconds",
            f"PT{hours}H{minutes}M{seconds}S",
        ):
            self.assertEqual(total or None, named_wait_seconds(f"Try again in {written}"), written)
