"""What holds for a receiver at a moment, for whoever asks why mail does not go faster."""

from __future__ import annotations

from collections.abc import Sequence

from smtpeter.delivery.kept import whole
from smtpeter.delivery.receivers import LastReply, Receiver, ReceiverLimits
from smtpeter.values import frozen


@frozen
class Restraint:
    """
    What a receiver is sent at most.

    Attributes:
        health: "ok", "throttled" (it takes less than it was to be sent), "refusing" (all mail of
            some accounts, or of all, for who we are), "paused" (it wants to be sent nothing for
            now), or "suspended" (it does not answer).
        until: nothing is sent before, seconds since the epoch; 0.0 for no such time.
        why: what the receiver said, "" where nothing was learnt.
        on_their_way: messages, when the service wrote it down last.
        refused_accounts: whose mail waits since it is refused; that of others goes.
    """

    health: str
    connections: int
    messages_per_connection: int
    messages_per_second: float | None
    until: float
    why: str
    on_their_way: int
    refused_accounts: Sequence[int]
    last_replies: Sequence[LastReply]

    def words(self) -> str:
        """On one line, for a table."""
        words = "1 connection" if self.connections == 1 else f"{self.connections} connections"
        if self.messages_per_second is not None:
            words += f", {self.messages_per_second:.3g}/s"
        return words if self.health == "ok" else f"{self.health}: {words}"


def restraint(limits: ReceiverLimits, kept: object, now: float) -> Restraint:
    """
    Put together what was decided for a receiver and what was learnt.

    Args:
        kept: as `Receiver.as_dict`, as far as it can be made out.
    """
    receiver = Receiver("", "", limits, now)
    receiver.restore(kept, now)
    state = receiver.as_dict()
    pace, window, suspension = state["pace"], state["window"], state["suspension"]
    replies = tuple(receiver.last_replies)
    throttled = LastReply.from_list(state["throttled"])
    less = pace["rate"] is not None or window["learnt"] is not None
    untils = {
        "suspended": suspension["until"],
        "paused": pace["paused_until"],
        "refusing": receiver.blocks.of_all.until if receiver.blocks.of_all.in_force else 0.0,
    }
    health = next((name for name, until in untils.items() if until > now), "")
    if not health:
        refusing = receiver.blocks.of_all.in_force or receiver.blocks.accounts
        health = "refusing" if refusing else "throttled" if less else "ok"
    why = ""
    if health in ("suspended", "refusing") and replies:
        why = replies[-1].text
    elif throttled and health != "ok":
        why = throttled.text
    return Restraint(
        health=health,
        connections=1 if suspension["failures"] else _less(limits.connections, window["learnt"]),
        messages_per_connection=_less(
            limits.messages_per_connection, state["messages_per_connection"]
        ),
        messages_per_second=_slower(limits.messages_per_second, pace["rate"]),
        until=max((each for each in untils.values() if each > now), default=0.0),
        why=why,
        on_their_way=whole(kept, "on_their_way", 0),
        refused_accounts=receiver.blocks.accounts,
        last_replies=replies,
    )


def _less(decided: int, learnt: int | None) -> int:
    return decided if learnt is None else min(decided, learnt)


def _slower(decided: float | None, learnt: float | None) -> float | None:
    return min((each for each in (decided, learnt) if each is not None), default=None)
