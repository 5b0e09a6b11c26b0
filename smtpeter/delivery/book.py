"""All receivers that there is something to know of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

from twisted.logger import Logger

from smtpeter.delivery.receivers import Receiver, ReceiverLimits
from smtpeter.delivery.route import Way
from smtpeter.store.receivers import REMEMBERED, Destination, ReceiverNews, receiver_name

KNOWN_DESTINATIONS = 50_000

NameAndLimits = Callable[[Way], tuple[str, ReceiverLimits]]


class ReceiverBook:
    """
    The receivers with work to do, and those of which something was learnt.

    Args:
        terms_of: how the receiver at the end of a way is called, and what was decided for it.
    """

    _log = Logger()

    def __init__(self, terms_of: NameAndLimits) -> None:
        self._terms_of = terms_of
        self._receivers: OrderedDict[str, Receiver] = OrderedDict()
        self._kept: dict[str, object] = {}  # of those that had no work since the start
        self._changed: dict[str, Receiver] = {}
        self._written: set[str] = set()
        self._destinations: OrderedDict[str, Destination] = OrderedDict()
        self._found: dict[str, Destination] = {}

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
        self._written = set(kept)

    def receiver_at(self, way: Way, pool: str, now: float) -> Receiver:
        """The receiver at the end of a way, for mail from a pool of addresses."""
        called, limits = self._terms_of(way)
        self._note(way, called)
        name = receiver_name(called, pool)
        receiver = self._receivers.get(name)
        if receiver is None:
            receiver = self._receivers[name] = Receiver(name, pool, limits, now)
            kept = self._kept.pop(name, None)
            if kept is not None:
                receiver.restore(kept, now)
        else:
            receiver.limit(limits, now)
        return receiver

    def named(self, name: str) -> Receiver | None:
        """A receiver that is known."""
        return self._receivers.get(name)

    def touched(self, receiver: Receiver) -> None:
        """Something was heard of a receiver."""
        if receiver.restrained or receiver.name in self._written:
            self._changed[receiver.name] = receiver

    def retired(self, receiver: Receiver, now: float) -> None:
        """
        A lane has no work for a receiver any more.

        Without any, a receiver is remembered only if something was learnt of it, or its limit
        on the rate has not rested yet.
        """
        if receiver.lanes or receiver.on_their_way:
            return
        if not receiver.restrained and not receiver.rest_seconds(now):
            self._receivers.pop(receiver.name, None)
            return
        self._receivers.move_to_end(receiver.name)
        if len(self._receivers) > REMEMBERED:
            for name, each in self._receivers.items():
                if not each.lanes and not each.on_their_way:
                    del self._receivers[name]
                    return

    def news(self) -> ReceiverNews | None:
        """What has changed since this was asked for last; None when nothing has."""
        if not self._changed and not self._found:
            return None
        states = {name: each.as_dict() for name, each in self._changed.items() if each.restrained}
        unremarkable = [name for name, each in self._changed.items() if not each.restrained]
        news = ReceiverNews(states, unremarkable, list(self._found.values()))
        self._written.update(states)
        self._written.difference_update(unremarkable)
        self._changed, self._found = {}, {}
        return news

    def not_written(self, news: ReceiverNews) -> None:
        """What `news` gave is to be given again; what came since stands over it."""
        for name in (*news.states, *news.unremarkable):
            receiver = self._receivers.get(name)
            if receiver is not None:
                self._changed[name] = receiver
        self._found = {each.name: each for each in news.found} | self._found

    def _note(self, way: Way, called: str) -> None:
        """Keep for operators where the mail for a destination goes."""
        found = Destination(way.destination, called, tuple(each.name for each in way.exchangers))
        if self._destinations.get(way.destination) == found:
            self._destinations.move_to_end(way.destination)
            return
        self._destinations[way.destination] = found
        if len(self._destinations) > KNOWN_DESTINATIONS:
            self._destinations.popitem(last=False)
        self._found[way.destination] = found
