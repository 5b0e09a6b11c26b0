"""One phase: send a load to one server, see it arrive, and read all meters."""

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.content import Contents, Maker
from bench.figures import Figures, percentile
from bench.histogram import TurnData, counts_between, percentile_ns
from bench.load import Load, Reuse, Target
from bench.machine import APART, Places, busy_seconds, tree_cpu_seconds
from bench.reckoning import Outcome, reckon
from bench.server import Server
from bench.sink import Arrivals, Kept
from bench.worker import GeneratorWorker, SinkWorker

_QUIET_SECONDS = 0.1
_QUIET_LIMIT_SECONDS = 2.0
_TICK_SECONDS = 0.015  # a little over the step in which CPU time is counted
_SPARE_SECONDS = 20.0


@dataclass(frozen=True)
class Scenario:
    """What is sent: messages of one length, over connections of one kind."""

    content_octets: int
    reuse: Reuse

    def __str__(self) -> str:
        carried = "one message" if self.reuse is Reuse.ONE else "many messages"
        return f"{self.content_octets / 1024:g} KiB, {carried} per connection"

    def maker(self) -> Maker:
        return Contents(self.content_octets)


@dataclass(frozen=True)
class Phase:
    """
    What one phase gave.

    figures, by name (rates count messages):
        rate: messages per second at which they were sent; 0.0: as fast as the server took them
        accepted_per_second: accepted / (first send to last 250)
        delivered_per_second: arrived / (first send to last arrival at the sink)
        server_cpu_ms: CPU time of all processes of the server, per message
        load_busy: CPU time of generator and sink by elapsed time, of one core
        load_core_busy: the same of everything that ran on their cores, of all of these
        foreign_busy: what others used of the server's cores, of all of these; others than the
            server, and than generator and sink where they share them
        after_250_p50_ms, after_250_p99_ms: from the reading of the 250 to the arrival at the sink
        after_content_p50_ms, after_content_p99_ms: the same from the content's last octet on
        lateness_ms: the longest that a message waited for a free session, at a fixed rate
        turn_wall_..._ms, turn_cpu_..._ms: p50, p99, p99_9, max of the server's reactor's turns
    tls: version and cipher of the last handshake.
    faults: what must not happen, in words; empty is good.
    missing: accepted messages that did not arrive.
    kept: the messages that the sink kept.
    signers: as in Arrivals.
    """

    server: str
    scenario: Scenario
    messages: int
    figures: Figures
    tls: str
    faults: list[str]
    missing: int
    kept: list[Kept] = field(default_factory=list, repr=False)
    signers: Counter[tuple[bytes, ...]] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Meters:
    """Readings of what only ever grows; seconds."""

    at: float
    server_cpu: float
    server_cores: float
    turns: TurnData | None


class Stand:
    """
    Where servers are measured.

    Args:
        generator: sends.
        sink: receives; nobody else sends to it.
        resume: whether the generator resumes TLS sessions.
        places: who was told to run where.
    """

    def __init__(
        self,
        generator: GeneratorWorker,
        sink: SinkWorker,
        *,
        resume: bool,
        places: Places = APART,
    ) -> None:
        self._places = places
        self._generator = generator
        self._sink = sink
        self._resume = resume
        self._next_id = 1  # no two messages of a run share an id
        self._sink_cpu_seconds = 0.0

    def measure(
        self,
        server: Server,
        scenario: Scenario,
        messages: int,
        *,
        rate: float = 0.0,
        expected_seconds: float,
        at_start: Callable[[], object] = lambda: None,
        target: Target | None = None,
    ) -> Phase:
        """
        Send messages to a server, and wait until they are delivered.

        Args:
            server: must run.
            scenario: what to send.
            messages: how many.
            rate: messages per second; 0.0: as fast as the server takes them.
            expected_seconds: a phase that takes four times as long, and some, is given up.
            at_start: is called when all is ready to be sent.
            target: where to send, with which login; None for that of the server.
        """
        patience_seconds = 4 * expected_seconds + _SPARE_SECONDS
        load = Load(
            target=target or server.target,
            first_id=self._next_id,
            messages=messages,
            maker=scenario.maker(),
            reuse=scenario.reuse,
            messages_per_second=rate,
            resume=self._resume,
            deadline_seconds=patience_seconds,
        )
        self._next_id += messages
        arrived_before = self._sink.arrived()
        generator_before = self._generator.prepare(load)
        os.sync()  # what another phase left to be written is not this one's burden
        before = self._read_meters(server)
        load_cores_before = busy_seconds(self._places.load)
        at_start()
        sent = self._generator.start(load)
        self._sink.await_arrivals(arrived_before + messages - sent.refused, patience_seconds)
        load_core_seconds = (busy_seconds(self._places.load) - load_cores_before) / len(
            self._places.load
        )
        load_core_busy = load_core_seconds / (time.monotonic() - before.at)
        _await_quiet(server)
        after = self._read_meters(server)
        arrivals = self._sink.report()
        generator_cpu = sent.cpu_seconds - generator_before
        sink_cpu = arrivals.cpu_seconds - self._sink_cpu_seconds
        self._sink_cpu_seconds = arrivals.cpu_seconds
        outcome = reckon(load, sent, arrivals.ids, arrivals.arrived_at)
        figures = {
            "rate": rate,
            "load_busy": _per(generator_cpu, outcome.accepting_seconds)
            + _per(sink_cpu, outcome.delivering_seconds),
            "load_core_busy": load_core_busy,
            "lateness_ms": sent.worst_lateness_seconds * 1000,
            **_flow(outcome),
            "server_cpu_ms": (after.server_cpu - before.server_cpu) / messages * 1000,
            "foreign_busy": self._foreign_busy(before, after, generator_cpu + sink_cpu),
            **turn_figures(before.turns, after.turns),
        }
        return Phase(
            server.name,
            scenario,
            messages,
            figures,
            sent.tls,
            outcome.faults,
            outcome.missing,
            arrivals.kept,
            arrivals.signers,
        )

    def late_arrivals(self) -> Arrivals:
        """What arrived after the last phase, in which it was due or was not."""
        arrivals = self._sink.report()
        self._sink_cpu_seconds = arrivals.cpu_seconds
        return arrivals

    def _read_meters(self, server: Server) -> _Meters:
        turns = server.turns()
        return _Meters(
            at=time.monotonic(),
            server_cpu=tree_cpu_seconds(server.root_pid()),
            server_cores=busy_seconds(self._places.servers),
            turns=turns,
        )

    def _foreign_busy(self, before: _Meters, after: _Meters, load_seconds: float) -> float:
        places = self._places
        foreign_seconds = after.server_cores - before.server_cores
        foreign_seconds -= after.server_cpu - before.server_cpu
        if places.servers & places.load:
            foreign_seconds -= load_seconds
        return max(_per(foreign_seconds, (after.at - before.at) * len(places.servers)), 0.0)


def _await_quiet(server: Server) -> None:
    """Let the server finish what is left to do after the last delivery; that costs CPU time too."""
    deadline = time.monotonic() + _QUIET_LIMIT_SECONDS
    used = tree_cpu_seconds(server.root_pid())
    while time.monotonic() < deadline:
        time.sleep(_QUIET_SECONDS)
        before, used = used, tree_cpu_seconds(server.root_pid())
        if used - before < _TICK_SECONDS:
            return


def _per(amount: float, whole: float) -> float:
    return amount / whole if whole > 0 else 0.0


def _flow(outcome: Outcome) -> Figures:
    figures = {
        "accepted_per_second": _per(outcome.accepted, outcome.accepting_seconds),
        "delivered_per_second": _per(outcome.delivered, outcome.delivering_seconds),
    }
    for percent in (50, 99):
        figures[f"after_250_p{percent}_ms"] = percentile(outcome.after_250, percent) * 1000
        figures[f"after_content_p{percent}_ms"] = percentile(outcome.after_content, percent) * 1000
    return figures


def turn_figures(before: TurnData | None, after: TurnData | None) -> Figures:
    if before is None or after is None:
        return {}
    figures: Figures = {}
    for clock, earlier, later in (
        ("wall", before["wall"], after["wall"]),
        ("cpu", before["cpu"], after["cpu"]),
    ):
        counts = counts_between(earlier, later)
        for name, percent in (("p50", 50), ("p99", 99), ("p99_9", 99.9)):
            # a bucket's upper edge may lie above the longest turn in it
            limit_ns = min(percentile_ns(counts, percent), later["max_ns"])
            figures[f"turn_{clock}_{name}_ms"] = limit_ns / 1e6
        figures[f"turn_{clock}_max_ms"] = later["max_ns"] / 1e6
    return figures
