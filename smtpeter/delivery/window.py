"""How many connections a receiver is given: as many as it takes. Knows no clock."""

from __future__ import annotations

from typing import Any

from smtpeter.delivery.kept import whole

BACK_MESSAGES = 10  # taken over each connection: then there is one more, up to what was known
PROBE_MESSAGES = 100  # the same beyond that: few connections are opened only to be refused
LEAST_MESSAGES = 2  # over one connection; with fewer nothing would be reused
RESTED_SECONDS = 2.0  # a connection that ends after such a rest tells nothing of a limit
PROBE_CONNECTIONS = 50  # used up, then one of them may carry a message more


class ConnectionWindow:
    """
    The number of connections to one receiver: halved when it refuses one, and then larger by
    one, now and then, while it does not. One more than is known to do is taken back alone.
    """

    def __init__(self) -> None:
        self._learnt: int | None = None
        self._known = 0  # so many were open when one more was refused
        self._taken = 0
        self._refused_at = float("-inf")
        # What was known when the first one was refused, while none is taken.
        self._before: tuple[int | None, int] | None = None

    def size(self, limit: int) -> int:
        """How many connections there may be, where `limit` is what was decided for it."""
        return limit if self._learnt is None else min(limit, self._learnt)

    def taken(self, limit: int, on_their_way: int) -> None:
        """A message was taken, while so many were on their way; it counts if no more may be."""
        self._before = None
        if self._learnt is None or on_their_way < self.size(limit):
            return
        self._taken += 1
        wanted = BACK_MESSAGES if self._learnt < self._known else PROBE_MESSAGES
        if self._taken >= wanted * self._learnt:
            self._taken = 0
            self._learnt += 1
            if self._learnt >= limit:
                self._learnt = None

    def refused(self, limit: int, now: float, began: float) -> bool:
        """
        A connection was refused, the attempt for which began then.

        Returns:
            False when there was but one, so that it cannot be for their number. Then it was not
            for that either when there were more.
        """
        if began <= self._refused_at:  # it was on its way when the window was made smaller
            return True
        size = self.size(limit)
        if size <= 1:
            if self._before is not None:
                self._learnt, self._known = self._before
                self._before = None
            return False
        self._before = self._before or (self._learnt, self._known)
        self._refused_at = now
        probe = self._learnt is not None and size == self._known + 1
        self._learnt = self._known if probe else size // 2
        self._known = size - 1
        self._taken = 0
        return True

    def set_back(self, seconds: float) -> None:
        """The clock was set back by so much; no time has passed."""
        self._refused_at -= seconds

    def as_dict(self) -> dict[str, Any]:
        """What is worth keeping, for a JSON document."""
        return {"learnt": self._learnt, "known": self._known}

    @classmethod
    def from_dict(cls, kept: object) -> ConnectionWindow:
        """What `as_dict` gave, as far as it can be made out."""
        window = cls()
        window._learnt = whole(kept, "learnt", None, least=1)
        window._known = whole(kept, "known", 0)
        return window


class MessagesPerConnection:
    """
    How many messages a receiver takes over one connection before it ends it. A connection ends
    for other reasons as well; a limit ends one after the other at the same number.
    """

    def __init__(self, learnt: int | None = None) -> None:
        self.learnt = learnt
        self._ended_at = learnt  # the last one
        self._used_up = 0

    def most(self, limit: int) -> int:
        """How many may be sent, where `limit` is what was decided for it."""
        return limit if self.learnt is None else min(limit, self.learnt)

    def ended(self, messages: int, idle_seconds: float) -> None:
        """The receiver ended a connection after so many messages, when one more came."""
        if messages < LEAST_MESSAGES or idle_seconds >= RESTED_SECONDS:
            return
        if messages == self._ended_at:
            self.learnt = messages
            self._used_up = 0
        self._ended_at = messages

    def used_up(self, messages: int, limit: int) -> bool:
        """Whether a connection has carried as many as it may."""
        if messages < self.most(limit):
            return False
        self._used_up += self.learnt is not None
        if self._used_up >= PROBE_CONNECTIONS and self.learnt is not None:
            self._used_up = 0
            self.learnt += 1
        return True
