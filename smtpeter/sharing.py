"""Results that several ask for: made once, and kept for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Shared(Generic[_Key, _Value]):
    """
    Keeps what was made, in place of what was longest not asked for.

    Who asks while it is being made waits for the same. An error goes to all who wait, and
    is not kept.

    Args:
        limit: how much is kept, as `weight` weighs it.
    """

    def __init__(self, limit: int, weight: Callable[[_Value], int]) -> None:
        self._limit = limit
        self._weight = weight
        self._weighs = 0
        self._kept: OrderedDict[_Key, _Value] = OrderedDict()
        self._waiting: dict[_Key, list[Deferred[_Value]]] = {}

    async def get(self, key: _Key, make: Callable[[], Coroutine[Any, Any, _Value]]) -> _Value:
        """The value of a key; it is made when it is not there."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        mine: Deferred[_Value] = Deferred()
        if key in self._waiting:
            self._waiting[key].append(mine)
        else:
            self._waiting[key] = [mine]
            # whoever asked first may be cancelled; the others still want it
            making: Deferred[_Value] = Deferred.fromCoroutine(make())
            making.addBoth(self._made, key)
        return await mine

    def _made(self, result: _Value | Failure, key: _Key) -> None:
        if not isinstance(result, Failure):
            self._keep(key, result)
        for each in self._waiting.pop(key):
            if not each.called:
                each.callback(result)

    def _keep(self, key: _Key, value: _Value) -> None:
        self._kept[key] = value
        self._weighs += self._weight(value)
        while self._weighs > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self._weighs -= self._weight(oldest)
