"""Whose message goes next: one of each account in turn. Knows no clock."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Hashable, Iterator
from typing import Generic, Protocol, TypeVar

from smtpeter.store.messages import BULK

# Of so many turns, one is of the next lower priority, so that none waits forever; and of that
# many times that many, one is of the lowest.
HIGHER_TOGETHER = 8


class Turn(Hashable, Protocol):
    """
    Something that has messages.

    Attributes:
        account: whose they are.
        priority: from `HIGH` to `BULK`.
        sendable: there is one to send.
    """

    @property
    def account(self) -> int: ...

    @property
    def priority(self) -> int: ...

    @property
    def sendable(self) -> bool: ...


_T = TypeVar("_T", bound=Turn)


class Turns(Generic[_T]):
    """
    Who has messages to send.

    Those of a higher priority come first; among these, accounts take turns, and so do those
    of an account. Each step takes the same time, however many there are.
    """

    def __init__(self) -> None:
        self._rings: tuple[OrderedDict[int, OrderedDict[_T, None]], ...] = tuple(
            OrderedDict() for _ in range(BULK + 1)
        )
        self._count = 0

    def __contains__(self, one: _T) -> bool:
        return one in self._rings[one.priority].get(one.account, ())

    def __len__(self) -> int:
        return sum(len(ones) for ring in self._rings for ones in ring.values())

    def add(self, one: _T) -> None:
        """Somebody has messages; it comes behind the others of its account."""
        self._rings[one.priority].setdefault(one.account, OrderedDict()).setdefault(one)

    def first(self, but: Container[int] = ()) -> _T | None:
        """Whose turn it is, but for those of some accounts; None when there is none."""
        found: list[_T] = []
        for ring in self._rings:
            one = _first(ring, but) if ring else None
            if one is not None:
                found.append(one)
        if not found:
            return None
        if len(found) > 1 and self._count % HIGHER_TOGETHER == HIGHER_TOGETHER - 1:
            lowest = self._count % HIGHER_TOGETHER**2 == HIGHER_TOGETHER**2 - 1
            return found[-1 if lowest else 1]
        return found[0]

    def first_of(self, account: int, priority: int) -> _T | None:
        """Whose turn it is among those of one account with one priority."""
        ones = self._rings[priority].get(account)
        return None if ones is None else _first_sendable(ones)

    def accounts(self, most: int, but: Container[int] = ()) -> Iterator[tuple[int, int]]:
        """
        Accounts and priorities of which there is a message to send, but for some accounts; so
        many of each priority at most.
        """
        for priority, ring in enumerate(self._rings):
            for account in _with_messages(ring, but, most):
                yield account, priority

    def passed(self, one: _T) -> None:
        """It has had its turn."""
        self._count += 1
        ring = self._rings[one.priority]
        ring[one.account].move_to_end(one)
        ring.move_to_end(one.account)

    def remove(self, one: _T) -> None:
        """Its mail goes elsewhere, or there is none any more."""
        ring = self._rings[one.priority]
        ones = ring.get(one.account)
        if ones is not None:
            ones.pop(one, None)
            if not ones:
                del ring[one.account]


def _first(ring: OrderedDict[int, OrderedDict[_T, None]], but: Container[int]) -> _T | None:
    """The first with a message; those without any that stand before it are left out."""
    for _ in range(len(ring)):
        account, ones = next(iter(ring.items()))
        if account in but:
            ring.move_to_end(account)
            continue
        one = _first_sendable(ones)
        if one is not None:
            return one
        del ring[account]
    return None


def _with_messages(
    ring: OrderedDict[int, OrderedDict[_T, None]], but: Container[int], most: int
) -> list[int]:
    """The first accounts with a message; those without any that stand before them are left out."""
    found: list[int] = []
    without: list[int] = []
    for account, ones in ring.items():
        if len(found) == most:
            break
        if account not in but:
            (without if _first_sendable(ones) is None else found).append(account)
    for account in without:
        del ring[account]
    return found


def _first_sendable(ones: OrderedDict[_T, None]) -> _T | None:
    while ones:
        one = next(iter(ones))
        if one.sendable:
            return one
        del ones[one]
    return None
