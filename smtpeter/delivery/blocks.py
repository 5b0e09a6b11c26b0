"""
Mail that is refused for who we are does not go on and on. Knows no clock.

A receiver that refuses one message after the other for our reputation or for its policy, and takes
none between, will not take the next one. To go on makes matters worse, and loses what could be
delivered tomorrow. So such mail waits until somebody has done something about it, and a single
message asks now and then. It is the mail of one account that waits, as long as that of others
is taken.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Any

from smtpeter.delivery.kept import entry, number, whole
from smtpeter.delivery.pace import ANSWER_SECONDS

SERIES = 10  # refusals of the mail of an account, with nothing taken between
SERIES_OF_ALL = 50  # the same of whoever's mail
FIRST_SECONDS = 300.0
LONGEST_SECONDS = 3600.0
FORGET_SECONDS = 3600.0  # without a refusal, and what there was is no series
ACCOUNTS = 1000  # of which refusals are remembered


class Block:
    """
    A series of refusals, and what follows from it.

    Attributes:
        refusals: how many, one after the other.
        until: nothing is sent before.
    """

    def __init__(self, series: int) -> None:
        self.refusals = 0
        self.until = 0.0
        self._series = series
        self._last_at = 0.0
        self._asked_at: float | None = None  # by a message that is on its way

    @property
    def in_force(self) -> bool:
        """The series is so long that mail waits."""
        return self.refusals >= self._series

    def wait(self, now: float) -> float:
        """The seconds after which to ask again, 0.0 when a message may go."""
        if not self.in_force:
            return 0.0
        if now < self.until:
            return self.until - now
        if self._asked_at is None:
            return 0.0
        return max(0.0, self._asked_at + ANSWER_SECONDS - now)

    def asked(self, now: float) -> None:
        """A message goes."""
        self._asked_at = now

    def withdrawn(self) -> None:
        """What came of a message tells nothing."""
        self._asked_at = None

    def taken(self) -> None:
        """A message was taken: whatever there was, it is no series any more."""
        self.refusals = 0
        self._asked_at = None

    def refused(self, now: float, began: float) -> bool:
        """A message was refused, which began then; True when mail waits from now on."""
        if self.in_force and began < self.until:  # on its way when it was decided to wait
            return False
        if now - max(self._last_at, self.until) > FORGET_SECONDS:
            self.refusals = 0
        self.refusals += 1
        self._last_at = now
        self._asked_at = None
        beyond = self.refusals - self._series
        if beyond >= 0:
            self.until = now + min(FIRST_SECONDS * 2 ** min(beyond, 16), LONGEST_SECONDS)
        return beyond == 0

    def set_back(self, seconds: float) -> None:
        """The clock was set back by so much; no time has passed."""
        self.until -= seconds
        self._last_at -= seconds
        if self._asked_at is not None:
            self._asked_at -= seconds

    def as_dict(self) -> dict[str, Any]:
        """What is worth keeping, for a JSON document."""
        return {"refusals": self.refusals, "until": self.until, "last_at": self._last_at}

    @classmethod
    def from_dict(cls, kept: object, series: int, now: float) -> Block:
        """What `as_dict` gave, as far as it can be made out."""
        block = cls(series)
        block.refusals = whole(kept, "refusals", 0)
        block.until = min(number(kept, "until", 0.0), now + LONGEST_SECONDS)
        block._last_at = number(kept, "last_at", 0.0, most=now)
        return block


class Blocks:
    """
    What is refused by one receiver, of each account and of all.

    Attributes:
        begun: accounts whose mail waits since somebody looked here last; None stands for all.
    """

    def __init__(self) -> None:
        self.begun: list[int | None] = []
        self._of_all = Block(SERIES_OF_ALL)
        self._of: OrderedDict[int, Block] = OrderedDict()  # the latest at the end
        self._in_force: set[int] = set()

    def wait(self, now: float, account: int) -> float:
        """The seconds after which to ask again for the mail of an account, 0.0 when it may go."""
        wait = self._of_all.wait(now)
        if account in self._in_force:
            wait = max(wait, self._of[account].wait(now))
        return wait

    def held_back(self, now: float) -> Collection[int]:
        """Accounts whose mail has to wait, though that of others may go."""
        if not self._in_force:
            return ()
        return {account for account in self._in_force if self._of[account].wait(now) > 0}

    def soonest(self, now: float) -> float:
        """The seconds after which the first of those may go that have to wait."""
        waits = (self._of[account].wait(now) for account in self._in_force)
        return max(self._of_all.wait(now), min((each for each in waits if each), default=0.0))

    def asked(self, now: float, account: int) -> None:
        """A message of an account goes."""
        if self._of_all.in_force:
            self._of_all.asked(now)
        if account in self._in_force:
            self._of[account].asked(now)

    def withdrawn(self, account: int) -> None:
        """What came of a message of an account tells nothing."""
        self._of_all.withdrawn()
        if account in self._in_force:
            self._of[account].withdrawn()

    def taken(self, account: int) -> None:
        """A message of an account was taken."""
        self._of_all.taken()
        if self._of.pop(account, None) is not None:
            self._in_force.discard(account)

    def refused(self, account: int, now: float, began: float) -> None:
        """A message of an account, which began then, was refused for who we are."""
        if self._of_all.refused(now, began):
            self.begun.append(None)
        block = self._of.setdefault(account, Block(SERIES))
        if block.refused(now, began):
            self.begun.append(account)
        self._of.move_to_end(account)
        self._in_force.discard(account)
        if block.in_force:
            self._in_force.add(account)
        if len(self._of) > ACCOUNTS:
            self._in_force.discard(self._of.popitem(last=False)[0])

    def set_back(self, seconds: float) -> None:
        """The clock was set back by so much; no time has passed."""
        for each in (self._of_all, *self._of.values()):
            each.set_back(seconds)

    @property
    def accounts(self) -> Sequence[int]:
        """Those whose mail waits."""
        return sorted(self._in_force)

    @property
    def of_all(self) -> Block:
        """What holds for everybody's mail."""
        return self._of_all

    def as_dict(self) -> dict[str, Any]:
        """What is worth keeping, for a JSON document."""
        of = {str(account): self._of[account].as_dict() for account in sorted(self._in_force)}
        return {"all": self._of_all.as_dict(), "accounts": of}

    @classmethod
    def from_dict(cls, kept: object, now: float) -> Blocks:
        """What `as_dict` gave, as far as it can be made out."""
        blocks = cls()
        blocks._of_all = Block.from_dict(entry(kept, "all"), SERIES_OF_ALL, now)
        of = entry(kept, "accounts")
        for account, state in list(of.items())[:ACCOUNTS] if isinstance(of, dict) else ():
            block = Block.from_dict(state, SERIES, now)
            if account.isdecimal() and account.isascii() and len(account) < 19 and block.in_force:
                blocks._of[int(account)] = block
                blocks._in_force.add(int(account))
        return blocks
