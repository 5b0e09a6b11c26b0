"""Takes out of the store what comes next in each lane."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.delivery.lanes import Lane
from smtpeter.store.changes import Change
from smtpeter.store.due import Due, Unreadable, due_messages, put_off
from smtpeter.store.messages import Stream
from smtpeter.store.store import Store

# What the store holds of a message cannot be read: the operator may mend it, or a newer program
# read it. `smtpeter queue retry` has it looked at earlier.
UNREADABLE_SECONDS = 86_400.0
# A message that met a fault of ours is left alone for so long.
FAULT_SECONDS = 3600.0
STORE_RETRY_SECONDS = 5.0
# Messages in the window of one lane, and about so many in the windows of all. When that many
# lanes have mail to deliver at one moment, each has one message in memory.
WINDOW = 64
WINDOWS_LIMIT = 20_000
# The store answers few at a time, and what it has answered takes room.
LOADS_AT_ONCE = 16


class Windows:
    """
    Fills the windows of lanes.

    Args:
        note: has a stream looked at again at a time.
        filled: is given a lane that was asked for.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        clock: IReactorTime,
        note: Callable[[Stream, float], None],
        filled: Callable[[Lane], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._note = note
        self._filled = filled
        self._loading = 0
        self.size = WINDOW

    def share(self, lanes: int) -> None:
        """So many lanes have work now."""
        self.size = max(1, min(WINDOW, WINDOWS_LIMIT // max(1, lanes)))

    @property
    def has_room(self) -> bool:
        """Whether one more lane can be asked for."""
        return self._loading < LOADS_AT_ONCE

    def tend(self, lane: Lane) -> None:
        """Ask the store for more of what comes next in a lane, if there is room for it."""
        if lane.loading or len(lane.window) > self.size // 2:
            return
        if not self.has_room:
            self._note(lane.stream, self._clock.seconds())
            return
        self._loading += 1
        lane.loading = True
        lane.more = False
        limit = self.size + len(lane.held)
        loading = self._store.read(due_messages, lane.stream, self._clock.seconds(), limit)
        loading.addBoth(self._load_ended, lane)
        loading.addCallbacks(
            self._loaded, self._not_loaded, callbackArgs=(lane, limit), errbackArgs=(lane,)
        )
        loading.addErrback(self._unforeseen)

    def let_go(self, lane: Lane, ids: Iterable[str]) -> None:
        """From now on what the store says of these messages counts."""
        for each in ids:
            lane.release(each)
        self._note(lane.stream, self._clock.seconds())

    def let_go_later(self, lane: Lane, ids: Iterable[str]) -> None:
        """Leave messages alone that met a fault of ours."""
        self._clock.callLater(FAULT_SECONDS, self.let_go, lane, ids)

    def _load_ended(self, result: object, lane: Lane) -> object:
        self._loading -= 1
        lane.loading = False
        return result

    def _loaded(self, due: Due, lane: Lane, limit: int) -> None:
        if lane.outdated:
            lane.more = True
        else:
            lane.fill(due.found)
            self._put_aside(lane, due.unreadable)
            lane.more = lane.more or len(due.found) + len(due.unreadable) == limit
        lane.outdated = False
        lane.released.clear()
        if due.later is not None:
            self._note(lane.stream, due.later)
        self._filled(lane)

    def _put_aside(self, lane: Lane, unreadable: Sequence[Unreadable]) -> None:
        new = [each for each in unreadable if lane.hold(each.row.id)]
        if new:
            Deferred.fromCoroutine(self._put_off(lane, new)).addErrback(self._unforeseen)

    async def _put_off(self, lane: Lane, unreadable: Sequence[Unreadable]) -> None:
        """Write down that they wait for somebody to see to them. Until then they are held."""
        now = self._clock.seconds()
        changes: list[Change] = []
        for each in unreadable:
            self._log.error("{fault}; it waits for a day", fault=each)
            changes += put_off(each, now + UNREADABLE_SECONDS, now)
        ids = [each.row.id for each in unreadable]
        try:
            await self._store.commit(*changes)
        except Exception:
            self._log.failure("messages that cannot be read could not be put off")
            self.let_go_later(lane, ids)
        else:
            self.let_go(lane, ids)

    def _not_loaded(self, failure: Failure, lane: Lane) -> None:
        self._log.error(
            "mail for {name} cannot be read: {e}", name=lane.stream.destination, e=failure.value
        )
        lane.outdated = False
        lane.released.clear()
        lane.more = True
        self._note(lane.stream, self._clock.seconds() + STORE_RETRY_SECONDS)

    def _unforeseen(self, failure: Failure) -> None:
        self._log.failure("the queue met a fault of ours", failure)
