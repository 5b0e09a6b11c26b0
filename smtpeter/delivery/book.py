"""All receivers that there is something to know of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from math import ceil

from twisted.logger import Logger

from smtpeter.delivery.receivers import Receiver, ReceiverLimits
from smtpeter.delivery.route import Way
from smtpeter.store.receivers import REMEMBERED, Destination, ReceiverNews, receiver_name
from smtpeter.values import frozen

KNOWN_DESTINATIONS = 50_000
# Where mail goes is written down anew after so long, so that it is not taken for forgotten.
FRESH_SECONDS = 86_400.0
NEWS_AT_ONCE = 100  # of receivers, and ten times as many destinations: it takes a millisecond

NameAndLimits = Callable[[Way], tuple[str, ReceiverLimits]]


@frozen
class _Noted:
    """A destination, and when it was told in the news."""

    found: Destination
    told: float


class ReceiverBook:
    """
    The receivers with work to do, and those of which something was learnt.

    Args:
        terms_of: how the receiver at the end of a way is called, and what was decided for it.
    """

    _log = Logger()

    def __init__(self, terms_of: NameAndLimits) -> None:
        self._terms_of = terms_of
        self._busy: dict[str, Receiver] = {}
        self._resting: OrderedDict[str, Receiver] = OrderedDict()  # the longest first
        self._kept: dict[str, object] = {}  # of those that had no work since the start
        self._changed: dict[str, Receiver] = {}
        self._forgotten: dict[str, None] = {}
        self._destinations: OrderedDict[str, _Noted] = OrderedDict()
        self._found: OrderedDict[str, Destination] = OrderedDict()

    def restore(self, kept: Mapping[str, object]) -> None:
        """Take up the states that were written before, as far as they can be made out."""
        spoilt = [name for name, state in kept.items() if not isinstance(state, dict)]
        if spoilt:
            self._log.error(
                "what was learnt of {count} receivers cannot be read, such as {name}",
                count=len(spoilt),
                name=spoilt[0],
            )
        self._kept = dict(kept)

    def receiver_at(self, way: Way, pool: str, now: float) -> Receiver:
        """The receiver at the end of a way, for mail from a pool of addresses."""
        called, limits = self._terms_of(way)
        self._note(way, called, now)
        name = receiver_name(called, pool)
        receiver = self.named(name)
        if receiver is None:
            receiver = self._new(name, pool, limits, now)
        self._resting.pop(name, receiver)
        self._busy[name] = receiver
        receiver.limit(limits, now)
        return receiver

    def _new(self, name: str, pool: str, limits: ReceiverLimits, now: float) -> Receiver:
        receiver = Receiver(name, pool, limits, now)
        if name in self._kept:
            receiver.written = True
            receiver.restore(self._kept.pop(name), now)
        elif name in self._forgotten:
            receiver.written = True
            del self._forgotten[name]
        return receiver

    def named(self, name: str) -> Receiver | None:
        """A receiver that is known."""
        return self._busy.get(name) or self._resting.get(name)

    def touched(self, receiver: Receiver) -> None:
        """Something was heard of a receiver."""
        if receiver.restrained or receiver.written:
            self._changed[receiver.name] = receiver

    def retired(self, receiver: Receiver, now: float) -> None:
        """
        A lane has no work for a receiver any more, or a message has come home.

        Without any work, a receiver is remembered only if something was learnt of it, or its
        limit on the rate has not rested yet.
        """
        if receiver.lanes or receiver.on_their_way or receiver.name not in self._busy:
            return
        del self._busy[receiver.name]
        if receiver.restrained or receiver.rest_seconds(now):
            self._resting[receiver.name] = receiver
            if len(self._resting) > REMEMBERED:
                self._forget(self._resting.popitem(last=False)[1])
        else:
            self._forget(receiver)

    def _forget(self, receiver: Receiver) -> None:
        self._changed.pop(receiver.name, None)
        if receiver.written and len(self._forgotten) < REMEMBERED:
            self._forgotten[receiver.name] = None

    @property
    def waiting(self) -> int:
        """How many times `news` has something to tell, in general."""
        receivers = max(len(self._changed), len(self._forgotten), len(self._found) / 10)
        return ceil(receivers / NEWS_AT_ONCE)

    def news(self) -> ReceiverNews | None:
        """A part of what has changed since it was told; None when nothing has."""
        if not (self._changed or self._forgotten or self._found):
            return None
        changed = [self._changed.pop(name) for name in _some(self._changed, NEWS_AT_ONCE)]
        unremarkable = _some(self._forgotten, NEWS_AT_ONCE)
        for name in unremarkable:
            del self._forgotten[name]
        states = {}
        for each in changed:
            each.written = each.restrained
            if each.restrained:
                states[each.name] = each.as_dict()
            else:
                unremarkable.append(each.name)
        found = [self._found.pop(name) for name in _some(self._found, 10 * NEWS_AT_ONCE)]
        return ReceiverNews(states, unremarkable, found)

    def not_written(self, news: ReceiverNews) -> None:
        """What `news` gave is to be given again; what came since stands over it."""
        for name in (*news.states, *news.unremarkable):
            receiver = self.named(name)
            if receiver is not None:
                receiver.written = True
                self._changed[name] = receiver
            else:
                self._forgotten[name] = None
        for each in news.found:
            self._found.setdefault(each.name, each)

    def _note(self, way: Way, called: str, now: float) -> None:
        """Keep for operators where the mail for a destination goes."""
        name = way.destination
        found = Destination(name, called, tuple(each.name for each in way.exchangers))
        noted = self._destinations.get(name)
        if noted is not None:
            self._destinations.move_to_end(name)
            if noted.found == found and 0 <= now - noted.told < FRESH_SECONDS:
                return
        self._destinations[name] = _Noted(found, now)
        self._found[name] = found
        if len(self._destinations) > KNOWN_DESTINATIONS:
            self._destinations.popitem(last=False)
        if len(self._found) > KNOWN_DESTINATIONS:
            self._found.popitem(last=False)


def _some(names: Iterable[str], count: int) -> list[str]:
    """The first of them, so many at most."""
    return list(islice(names, count))
