"""
A histogram of durations that is cheap to fill and small to keep.

A bucket is a sixteenth of an octave wide, so a percentile read from it is at most 7 % too high.
"""

from collections.abc import Mapping
from typing import TypedDict

SUB_BUCKET_BITS = 4
SUB_BUCKETS = 1 << SUB_BUCKET_BITS
BUCKETS = SUB_BUCKETS * 60  # beyond a day, in nanoseconds


class HistogramData(TypedDict):
    """
    A histogram as JSON.

    counts: bucket number (as text, since JSON has no other keys) to how many durations fell in it;
        empty buckets are left out. Counts only ever grow.
    max_ns: the longest duration since the last time the data were taken, in nanoseconds.
    """

    counts: dict[str, int]
    max_ns: int


class TurnData(TypedDict):
    """
    What the turns of a reactor took: from the return of its poll to the next call of it.

    sequence: how often the data were taken, this time included.
    wall: elapsed time.
    cpu: CPU time of the reactor's thread.
    """

    sequence: int
    wall: HistogramData
    cpu: HistogramData


def bucket_of(duration_ns: int) -> int:
    """The number of the bucket that counts a duration of so many nanoseconds (0 or more)."""
    shift = duration_ns.bit_length() - SUB_BUCKET_BITS - 1
    if shift <= 0:
        return duration_ns
    return (shift << SUB_BUCKET_BITS) + (duration_ns >> shift)


def upper_edge_ns(bucket: int) -> int:
    """The longest duration, in nanoseconds, that a bucket counts."""
    if bucket < 2 * SUB_BUCKETS:
        return bucket
    shift = (bucket >> SUB_BUCKET_BITS) - 1
    mantissa = SUB_BUCKETS + bucket % SUB_BUCKETS
    return ((mantissa + 1) << shift) - 1


class Histogram:
    """Counts durations, in nanoseconds."""

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self._max_ns = 0

    def record(self, duration_ns: int) -> None:
        # bucket_of(), written out: this runs twice in every turn of the reactor
        shift = duration_ns.bit_length() - 5
        self._counts[duration_ns if shift <= 0 else (shift << 4) + (duration_ns >> shift)] += 1
        if duration_ns > self._max_ns:  # noqa: PLR1730 (max() costs twice as much)
            self._max_ns = duration_ns

    def take(self) -> HistogramData:
        """The counts so far, and the maximum since the last call."""
        counts = {str(bucket): count for bucket, count in enumerate(self._counts) if count}
        max_ns, self._max_ns = self._max_ns, 0
        return {"counts": counts, "max_ns": max_ns}


def counts_between(earlier: HistogramData, later: HistogramData) -> dict[int, int]:
    """What was counted between two takes of one histogram: bucket number to count."""
    before = earlier["counts"]
    grown = {int(key): count - before.get(key, 0) for key, count in later["counts"].items()}
    return {bucket: count for bucket, count in grown.items() if count}


def percentile_ns(counts: Mapping[int, int], percent: float) -> float:
    """
    The duration, in nanoseconds, that `percent` of all counted durations do not exceed.

    Returns:
        The upper edge of the bucket in which that duration fell; 0.0 if nothing was counted.
    """
    wanted = sum(counts.values()) * percent / 100
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted:
            return float(upper_edge_ns(bucket))
    return 0.0
