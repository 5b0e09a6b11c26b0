"""One receiver: what it may be sent, as was decided and as it was learnt. Knows no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any
from typing import Protocol as Shape

from smtpeter.delivery.blocks import Blocks
from smtpeter.delivery.bucket import TokenBucket
from smtpeter.delivery.classification import (
    ReplyClass,
    classify,
    is_throttle,
    named_wait_seconds,
)
from smtpeter.delivery.kept import LARGEST, entries, entry, whole
from smtpeter.delivery.lanes import Lane
from smtpeter.delivery.pace import Pace
from smtpeter.delivery.suspension import Suspension
from smtpeter.delivery.turns import Turns
from smtpeter.delivery.window import LEAST_MESSAGES, ConnectionWindow, MessagesPerConnection
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.values import frozen

LAST_REPLIES = 5
SHOWN_CHARACTERS = 200
# Where an attempt ends that does not reach a server, or one that does not begin to talk. Each may
# take minutes, and a place.
UNREACHED = frozenset({"dns", "connect", "intro", "ehlo", "helo"})
# Before the first message: what is refused here is the connection.
OPENING = frozenset({"connect", "intro", "ehlo", "helo", "starttls"})
# With a message taken so short a time ago, a receiver that cannot be reached has enough of us.
LIVELY_SECONDS = 10.0
# A message that was refused only since there were too many is tried again with the next ones.
SOON_SECONDS = 1.0


class ReceiverLimits(Shape):
    """What was decided for one receiver."""

    @property
    def connections(self) -> int: ...

    @property
    def messages_per_connection(self) -> int: ...

    @property
    def messages_per_second(self) -> float | None: ...


@frozen
class LastReply:
    """What a receiver said when it did not take a message, and when."""

    time: float
    text: str
    meaning: str

    def as_list(self) -> list[Any]:
        """For a JSON document."""
        return [self.time, self.text, self.meaning]

    @classmethod
    def from_list(cls, kept: object) -> LastReply | None:
        """What `as_list` gave; None when it cannot be made out."""
        match kept:
            case [int() | float() as time, str(text), str(meaning)] if 0 <= time <= LARGEST:
                return cls(float(time), text[:SHOWN_CHARACTERS], meaning)
        return None


class Receiver:
    """
    Those who take mail at one set of hosts.

    Attributes:
        name: as operators call it.
        pool: of the addresses of ours that its mail is sent from, "" for the usual ones.
        turns: whose message goes next.
        on_their_way: how many messages are.
        octets: of the messages on their way.
        lanes: how many have mail for it.
        written: something of it stands in the store.
        lifted_at: what was learnt was forgotten then.
        last_replies: the latest refusals, the last at the end.
        blocks: whose mail it refuses for who we are.
    """

    def __init__(self, name: str, pool: str, limits: ReceiverLimits, now: float) -> None:
        self.name = name
        self.pool = pool
        self.turns: Turns[Lane] = Turns()
        self.on_their_way = 0
        self.octets = 0
        self.lanes = 0
        self.written = False
        self.lifted_at = float("-inf")
        self.last_replies: deque[LastReply] = deque(maxlen=LAST_REPLIES)
        self._pace = Pace()
        self._window = ConnectionWindow()
        self._per_connection = MessagesPerConnection()
        self._suspension = Suspension()
        self.blocks = Blocks()
        self._bucket: TokenBucket | None = None
        self._taken_at = float("-inf")
        self._throttled: LastReply | None = None
        self._latest = now
        self.limit(limits, now)

    def limit(self, limits: ReceiverLimits, now: float) -> None:
        """From now on these limits hold; what was learnt stays."""
        self._limits = limits
        rate = limits.messages_per_second
        if rate != (self._bucket.per_second if self._bucket else None):
            self._bucket = TokenBucket(rate, now) if rate else None

    # What it may be sent.

    @property
    def connections(self) -> int:
        """How many there may be at a time; one while it is not known whether it answers."""
        return 1 if self._suspension.failures else self._window.size(self._limits.connections)

    def has_room(self, octets: int, octets_limit: int) -> bool:
        """
        Whether one more message may be on its way.

        Args:
            octets: of the message.
            octets_limit: for all that is on its way; one message may always go.
        """
        if self.on_their_way >= self.connections:
            return False
        return not self.on_their_way or self.octets + octets <= octets_limit

    def wait(self, now: float, account: int = 0) -> float:
        """0.0 with leave to send a message of an account, or the seconds after which to ask."""
        self._notice(now)
        if now < self._suspension.until:
            return self._suspension.until - now
        # Leave is asked of the pace last: while it is used for nothing, nobody else gets it.
        wait = self._bucket.wait(now) if self._bucket else 0.0
        wait = wait or self.blocks.wait(now, account) or self._pace.wait(now)
        if not wait:
            self.blocks.asked(now, account)
            if self._bucket:
                self._bucket.take(now)
        return wait

    def _notice(self, now: float) -> None:
        """The clock may have been set back: then no time has passed."""
        back, self._latest = self._latest - now, now
        if back > 0:
            self._pace.set_back(back)
            self._window.set_back(back)
            self._suspension.set_back(back)
            self.blocks.set_back(back)
            self._taken_at -= back

    def rest_seconds(self, now: float) -> float:
        """After so many seconds of rest, limits that were decided are as if nothing was sent."""
        return self._bucket.seconds_until_full(now) if self._bucket else 0.0

    # What is learnt.

    def connection_ended(self, messages: int, idle_seconds: float) -> None:
        """It ended a connection after so many messages and such a rest."""
        self._per_connection.ended(messages, idle_seconds)

    def connection_used_up(self, messages: int) -> bool:
        """Whether a connection has carried as many messages as it may."""
        return self._per_connection.used_up(messages, self._limits.messages_per_connection)

    def withdrawn(self, account: int = 0) -> None:
        """A message of an account that had leave was not sent, or nothing was heard of it."""
        self._pace.withdrawn()
        self.blocks.withdrawn(account)

    def heard(self, outcome: Outcome, began: float, now: float, account: int = 0) -> float | None:
        """
        Take in what an attempt tells, which began then.

        Args:
            account: whose message it was.

        Returns:
            When the message may be tried again, if that is said by the receiver and not by the
            schedule.
        """
        self._notice(now)
        if outcome.verdict is Verdict.DELIVERED:
            self.blocks.taken(account)
            self._took(now, began)
            return None
        self.blocks.withdrawn(account)
        ours = outcome.state in ("process", "bind")
        of_the_message = not outcome.code and outcome.verdict is Verdict.FAILED
        if ours or of_the_message:
            self._pace.withdrawn()
            return None
        if not outcome.code:
            return self._heard_nothing(outcome, began, now)
        self._suspension.answered()
        said = (outcome.code, outcome.status, outcome.text, outcome.state)
        meaning = classify(*said)
        self._note(outcome, meaning, now)
        if is_throttle(*said):
            return self._throttle(outcome, began, now)
        # For a while, a policy without a word more is greylisting as often as not.
        lasting = outcome.verdict is Verdict.FAILED
        if meaning is ReplyClass.REPUTATION or (meaning is ReplyClass.POLICY and lasting):
            self.blocks.refused(account, now, began)
        self._took(now, began)
        named = named_wait_seconds(outcome.text) if meaning is ReplyClass.GREYLIST else None
        return now + named if named and outcome.verdict is Verdict.DEFERRED else None

    def _took(self, now: float, began: float) -> None:
        """It answered a message as usual; whatever the answer, there were not too many."""
        self._taken_at = now
        self._suspension.answered()
        self._pace.taken(now, began)
        self._window.taken(self._limits.connections, self.on_their_way)

    def _heard_nothing(self, outcome: Outcome, began: float, now: float) -> float | None:
        self._note(outcome, classify(0, outcome.status, outcome.text, outcome.state), now)
        self._pace.withdrawn()
        if outcome.state not in UNREACHED:
            return None
        lively = now - self._taken_at < LIVELY_SECONDS and outcome.state != "dns"
        if lively and self._window.refused(self._limits.connections, now, began):
            self._throttled = self.last_replies[-1]
            return now + SOON_SECONDS
        self._suspension.failed(now, began)
        return None

    def _throttle(self, outcome: Outcome, began: float, now: float) -> float:
        self._throttled = self.last_replies[-1]
        named = named_wait_seconds(outcome.text)
        # Of a single message that asks whether mail is taken again there cannot be too many.
        of_connections = outcome.state in OPENING and not named and not self._pace.asks
        if of_connections and self._window.refused(self._limits.connections, now, began):
            self._pace.withdrawn()
            return now + SOON_SECONDS
        return max(self._pace.refused(now, began, named), now + SOON_SECONDS)

    def _note(self, outcome: Outcome, meaning: ReplyClass, now: float) -> None:
        text = f"{outcome.code} {outcome.text}" if outcome.code else outcome.text
        self.last_replies.append(LastReply(now, text[:SHOWN_CHARACTERS], meaning.value))

    def lift(self, now: float) -> None:
        """Forget pauses and what was learnt: the operator wants it tried."""
        self.lifted_at = now
        self._pace.lift()
        self._window = ConnectionWindow()
        self._per_connection = MessagesPerConnection()
        self._suspension.answered()
        self.blocks = Blocks()
        self._throttled = None

    # What others see of it, and what is kept.

    @property
    def restrained(self) -> bool:
        """Something was learnt that is worth keeping, or showing."""
        learnt = self._pace.rate is not None or self._pace.paused_until > 0
        return learnt or bool(self.last_replies) or self._per_connection.learnt is not None

    def as_dict(self) -> dict[str, Any]:
        """For a JSON document; `restore` takes it back."""
        return {
            "pace": self._pace.as_dict(),
            "window": self._window.as_dict(),
            "messages_per_connection": self._per_connection.learnt,
            "suspension": self._suspension.as_dict(),
            "blocks": self.blocks.as_dict(),
            "last_replies": [each.as_list() for each in self.last_replies],
            "throttled": self._throttled and self._throttled.as_list(),
            "on_their_way": self.on_their_way,
        }

    def restore(self, kept: object, now: float) -> None:
        """Know again what was known when `as_dict` was asked, as far as it can be made out."""
        self._pace = Pace.from_dict(entry(kept, "pace"), now)
        self._window = ConnectionWindow.from_dict(entry(kept, "window"))
        learnt = whole(kept, "messages_per_connection", None, least=LEAST_MESSAGES)
        self._per_connection = MessagesPerConnection(learnt)
        self._suspension = Suspension.from_dict(entry(kept, "suspension"), now)
        self.blocks = Blocks.from_dict(entry(kept, "blocks"), now)
        replies = map(LastReply.from_list, entries(kept, "last_replies"))
        self.last_replies.extend(each for each in replies if each is not None)
        self._throttled = LastReply.from_list(entry(kept, "throttled"))


@frozen
class QueueSettings:
    """
    What the operator decided for all deliveries.

    Attributes:
        max_connections: messages on their way at one moment, over all receivers.
        octets_per_receiver: of the messages on their way to one receiver, unless it is a
            single one; so that no receiver keeps all memory to itself.
        destination_of: what mail for a domain waits under.
    """

    max_connections: int
    octets_per_receiver: int
    destination_of: Callable[[str], str]
