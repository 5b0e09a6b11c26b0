"""One phase: send a load to one server, see it arrive, and read all meters."""

import os
import time
from dataclasses import dataclass

from bench.figures import Figures, percentile
from bench.histogram import TurnData, counts_between, percentile_ns
from bench.load import Load, Reuse
from bench.machine import LOAD_CORE, SERVER_CORE, core_busy_seconds, tree_cpu_seconds
from bench.reckoning import Outcome, reckon
from bench.server import Server
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


@dataclass(frozen=True)
class Phase:
    """
    What one phase gave.

    figures, by name (fractions are of one core; rates count messages):
        rate: messages per second at which they were sent; 0.0: as fast as the server took them
        accepted_per_second: accepted / (first send to last 250)
        delivered_per_second: arrived / (first send to last arrival at the sink)
        server_cpu_ms: CPU time of all processes of the server, per message
        load_busy: CPU time of generator and sink by elapsed time
        load_core_busy: the same of everything that ran on their core
        foreign_busy: what others than the server used of the server's core
        after_250_p50_ms, after_250_p99_ms: from the reading of the 250 to the arrival at the sink
        after_content_p50_ms, after_content_p99_ms: the same from the content's last octet on
        lateness_ms: the longest that a message waited for a free session, at a fixed rate
        turn_wall_..._ms, turn_cpu_..._ms: p50, p99, p99_9, max of the server's reactor's turns
    tls: version and cipher of the last handshake.
    faults: what must not happen, in words; empty is good.
    missing: accepted messages that did not arrive.
    """

    server: str
    scenario: Scenario
    messages: int
    figures: Figures
    tls: str
    faults: list[str]
    missing: int


@dataclass(frozen=True)
class _Meters:
    """Readings of what only ever grows; seconds."""

    at: float
    server_cpu: float
    server_core: float
    turns: TurnData | None


class Stand:
    """
    Where servers are measured.

    Args:
        generator: sends.
        sink: receives; nobody else sends to it.
        resume: whether the generator resumes TLS sessions.
    """

    def __init__(self, generator: GeneratorWorker, sink: SinkWorker, *, resume: bool) -> None:
        self._generator = generator
        self._sink = sink
        self._resume = resume
        self._next_id = 1  # no two messages of a run share an id
        self._generator_cpu_seconds = 0.0
        self._sink_cpu_seconds = 0.0

    def measure(
        self,
        server: Server,
        scenario: Scenario,
        messages: int,
        *,
        rate: float = 0.0,
        expected_seconds: float,
    ) -> Phase:
        """
        Send messages to a server, and wait until they are delivered.

        Args:
            server: must run.
            scenario: what to send.
            messages: how many.
            rate: messages per second; 0.0: as fast as the server takes them.
            expected_seconds: a phase that takes four times as long, and some, is given up.
        """
        os.sync()  # what another phase left to be written is not this one's burden
        patience_seconds = 4 * expected_seconds + _SPARE_SECONDS
        load = Load(
            target=server.target,
            first_id=self._next_id,
            messages=messages,
            content_octets=scenario.content_octets,
            reuse=scenario.reuse,
            messages_per_second=rate,
            resume=self._resume,
            deadline_seconds=patience_seconds,
        )
        self._next_id += messages
        arrived_before = self._sink.arrived()
        before = _read_meters(server)
        load_core_before = core_busy_seconds(LOAD_CORE)
        sent = self._generator.send(load)
        self._sink.await_arrivals(arrived_before + messages - sent.refused, patience_seconds)
        load_core_busy = (core_busy_seconds(LOAD_CORE) - load_core_before) / (
            time.monotonic() - before.at
        )
        _await_quiet(server)
        after = _read_meters(server)
        ids, arrived_at, sink_cpu_seconds = self._sink.report()
        outcome = reckon(load, sent, ids, arrived_at)
        figures = {
            "rate": rate,
            "load_busy": _per(
                sent.cpu_seconds - self._generator_cpu_seconds, outcome.accepting_seconds
            )
            + _per(sink_cpu_seconds - self._sink_cpu_seconds, outcome.delivering_seconds),
            "load_core_busy": load_core_busy,
            "lateness_ms": sent.worst_lateness_seconds * 1000,
            **_flow(outcome),
            **_effort(before, after, messages),
            **_turns(before.turns, after.turns),
        }
        self._generator_cpu_seconds = sent.cpu_seconds
        self._sink_cpu_seconds = sink_cpu_seconds
        return Phase(
            server.name, scenario, messages, figures, sent.tls, outcome.faults, outcome.missing
        )

    def late_arrivals(self) -> int:
        """How many messages arrived after the last phase, in which they were due or were not."""
        ids, _arrived_at, self._sink_cpu_seconds = self._sink.report()
        return len(ids)


def _read_meters(server: Server) -> _Meters:
    turns = server.turns()
    return _Meters(
        at=time.monotonic(),
        server_cpu=tree_cpu_seconds(server.root_pid()),
        server_core=core_busy_seconds(SERVER_CORE),
        turns=turns,
    )


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


def _effort(before: _Meters, after: _Meters, messages: int) -> Figures:
    server_seconds = after.server_cpu - before.server_cpu
    core_seconds = after.server_core - before.server_core
    return {
        "server_cpu_ms": server_seconds / messages * 1000,
        "foreign_busy": max(_per(core_seconds - server_seconds, after.at - before.at), 0.0),
    }


def _turns(before: TurnData | None, after: TurnData | None) -> Figures:
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
