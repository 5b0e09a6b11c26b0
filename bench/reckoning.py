"""From what the generator sent and the sink saw to rates, delays, and what went wrong."""

from array import array
from collections import Counter
from dataclasses import dataclass

from bench.load import Load, Sent


@dataclass(frozen=True)
class Outcome:
    """
    What became of a load. Times in seconds.

    accepted, delivered: messages that got their 250; messages that arrived, each counted once.
    accepting_seconds: first send to last 250.
    delivering_seconds: first send to last arrival at the sink.
    after_250, after_content: one delay per accepted message that arrived: from the moment its
        sender had read the 250, or had sent the last octet, to its arrival. The first is negative
        for a message that was faster than its own 250.
    missing: accepted messages that did not arrive.
    faults: what must not happen, in words; empty is good.
    """

    accepted: int
    delivered: int
    accepting_seconds: float
    delivering_seconds: float
    after_250: list[float]
    after_content: list[float]
    missing: int
    faults: list[str]


def reckon(load: Load, sent: Sent, ids: "array[int]", arrived_at: "array[float]") -> Outcome:
    """
    Compare what was sent with what arrived.

    Args:
        load: what the generator was asked for.
        sent: what it did.
        ids: the messages that arrived, in the order of their arrival.
        arrived_at: when they did, time.monotonic().
    """
    content_sent_at, accepted_at = array("d"), array("d")
    content_sent_at.frombytes(sent.content_sent_at)
    accepted_at.frombytes(sent.accepted_at)
    ours = range(load.first_id, load.first_id + load.messages)
    times: dict[int, float] = {}
    for message_id, at in zip(ids, arrived_at, strict=True):
        if message_id in ours:
            times.setdefault(message_id - load.first_id, at)
    accepted = [index for index, at in enumerate(accepted_at) if at]
    arrived = [index for index in accepted if index in times]
    return Outcome(
        accepted=len(accepted),
        delivered=len(times),
        accepting_seconds=max(accepted_at) - sent.first_send_at if accepted else 0.0,
        delivering_seconds=max(times.values()) - sent.first_send_at if times else 0.0,
        after_250=[times[index] - accepted_at[index] for index in arrived],
        after_content=[times[index] - content_sent_at[index] for index in arrived],
        missing=len(accepted) - len(arrived),
        faults=_faults(load, sent, ids, accepted=set(accepted)),
    )


def _faults(load: Load, sent: Sent, ids: "array[int]", *, accepted: set[int]) -> list[str]:
    faults: list[str] = []
    if sent.refused or sent.failures:
        reasons = "; ".join(sent.failures)
        faults.append(f"{sent.refused} of {load.messages} messages were not accepted: {reasons}")
    arrivals = Counter(message_id - load.first_id for message_id in ids)
    strangers = sum(count for index, count in arrivals.items() if not 0 <= index < load.messages)
    if strangers:
        faults.append(f"{strangers} arrivals are of another phase, or of no message of ours")
    repeated = sum(count > 1 for index, count in arrivals.items() if index in accepted)
    if repeated:
        faults.append(f"{repeated} messages ARRIVED MORE THAN ONCE")
    missing = sum(index not in arrivals for index in accepted)
    if missing:
        faults.append(f"{missing} messages were accepted and are LOST, or very late")
    return faults
