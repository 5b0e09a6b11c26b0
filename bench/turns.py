"""
Runs twistd with a reactor that measures its own turns.

    python bench/turns.py -n smtpeter --config FILE

takes twistd's arguments. A turn is the time between the return of one poll and the call of the
next: as long as it lasts, no client is heard. Its elapsed time and its CPU time (of the reactor's
thread) go into one histogram each. The environment says where they and a profile go:

SMTPETER_BENCH_TURNS
    A file that holds the histograms as JSON (histogram.TurnData), written at SIGUSR1 and at exit.
SMTPETER_BENCH_PROFILE
    If set, the reactor's thread runs under cProfile, and this file gets the result at exit:
    ``python -m pstats FILE``. Throughput is then about halved, and means nothing.
SMTPETER_BENCH_WORKERS_PROFILE
    The same for worker processes; each adds its PID to the name of the file.

cProfile sees functions only and slows the small ones down most. Where that misleads, sample from
outside instead, while bench/relay.py runs: ``py-spy record --native --pid PID -o flame.svg``.
"""

import cProfile
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from types import FrameType

# the checkout's own code, and its twistd plugin
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.scripts import twistd

from bench.histogram import Histogram, TurnData

TURNS_VARIABLE = "SMTPETER_BENCH_TURNS"
PROFILE_VARIABLE = "SMTPETER_BENCH_PROFILE"
WORKERS_PROFILE_VARIABLE = "SMTPETER_BENCH_WORKERS_PROFILE"


class MeasuringPoller:
    """
    Stands where a reactor keeps its select.epoll, and notes the time spent away from it.

    Attributes:
        wall: elapsed time of each turn.
        cpu: CPU time of the thread in each turn.
    """

    def __init__(self, epoll: select.epoll) -> None:
        self.register = epoll.register
        self.modify = epoll.modify
        self.unregister = epoll.unregister
        self.fileno = epoll.fileno
        self.close = epoll.close
        self.wall = Histogram()
        self.cpu = Histogram()
        self._poll = epoll.poll
        self._wall_ns = time.perf_counter_ns()
        self._cpu_ns = time.thread_time_ns()

    def poll(self, timeout: float, maxevents: int) -> list[tuple[int, int]]:
        self.wall.record(time.perf_counter_ns() - self._wall_ns)
        self.cpu.record(time.thread_time_ns() - self._cpu_ns)
        try:
            return self._poll(timeout, maxevents)
        finally:
            self._cpu_ns = time.thread_time_ns()
            self._wall_ns = time.perf_counter_ns()


class MeasuringReactor(EPollReactor):
    """Twisted's epoll reactor with a MeasuringPoller."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.poller = MeasuringPoller(self._poller)
        self._poller = self.poller


class Record:
    """Writes what was measured, whenever it is asked to."""

    def __init__(self, poller: MeasuringPoller, profile: cProfile.Profile) -> None:
        self._poller = poller
        self._profile = profile
        self._sequence = 0

    def on_signal(self, _signal_number: int, _frame: FrameType | None) -> None:
        self.write_turns()

    def write_turns(self) -> None:
        """Replace the file in one step: its reader waits for the next sequence number."""
        path = os.environ.get(TURNS_VARIABLE)
        if not path:
            return
        self._sequence += 1
        data: TurnData = {
            "sequence": self._sequence,
            "wall": self._poller.wall.take(),
            "cpu": self._poller.cpu.take(),
        }
        unfinished = Path(f"{path}.new")
        unfinished.write_text(json.dumps(data), "ascii")
        unfinished.replace(path)

    def finish(self) -> None:
        self.write_turns()
        path = os.environ.get(PROFILE_VARIABLE)
        if path:
            self._profile.disable()
            self._profile.dump_stats(path)


def _profile_workers() -> None:
    """Have them load one module more; to be called when the reactor is installed."""
    from smtpeter import readers  # noqa: PLC0415

    readers.MODULES = (*readers.MODULES, "bench.profiled")  # type: ignore[assignment]


def main() -> None:
    reactor = MeasuringReactor()
    installReactor(reactor)
    profile = cProfile.Profile()
    record = Record(reactor.poller, profile)
    # twistd leaves the signal alone if somebody has taken it before
    signal.signal(signal.SIGUSR1, record.on_signal)
    # Not after run(): a twistd that was ended by a signal ends itself by the same signal there.
    reactor.addSystemEventTrigger("after", "shutdown", record.finish)
    if os.environ.get(WORKERS_PROFILE_VARIABLE):
        _profile_workers()
    if os.environ.get(PROFILE_VARIABLE):
        profile.enable()
    twistd.run()


if __name__ == "__main__":
    main()
