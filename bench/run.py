"""The order of phases in a run."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from bench.figures import Figures, medians
from bench.phase import Phase, Scenario, Stand
from bench.server import Server

_WARM_UP_MESSAGES = 400  # Postfix's in_flow_delay (1 s) makes much less than that look slow
_WARM_UP_SECONDS = 5.0
_MIN_MESSAGES = 400
_MAX_MESSAGES = 50_000
_MIN_FIXED_RATE_MESSAGES = 20
_FIXED_RATE_PART = 0.25  # of the rate that saturates a server


class Kind(Enum):
    """What a phase was for."""

    SATURATED = "saturated"
    OWN_QUARTER = "at a quarter of its own rate"
    POSTFIX_QUARTER = "at a quarter of Postfix's rate"


@dataclass(frozen=True)
class Plan:
    """
    How much to measure.

    Args:
        scenarios: what is sent.
        rounds: how often each phase runs; its figures are the medians.
        saturated_seconds: about how long a phase lasts in which a server is saturated.
        fixed_rate_seconds: how long a phase lasts in which messages come at a fixed rate.
        messages: of a saturated phase; None: as many as the server takes in that time.
    """

    scenarios: Sequence[Scenario]
    rounds: int
    saturated_seconds: float
    fixed_rate_seconds: float
    messages: int | None


class Spoiled(Exception):
    """A message was lost, so that nothing measured after it could be trusted."""


@dataclass
class Run:
    """
    Measures servers by a plan; what it has found so far is in `phases`.

    Args:
        plan: what to measure.
        stand: where.
        servers: running; they take turns in changing order.
        progress: is told what is being done, one line at a time.
    """

    plan: Plan
    stand: Stand
    servers: Sequence[Server]
    progress: Callable[[str], None] = field(
        default=lambda text: print(text, file=sys.stderr, flush=True)
    )
    phases: list[tuple[Kind, Phase]] = field(default_factory=list)
    _rates: dict[tuple[str, Scenario], float] = field(default_factory=dict)

    def run(self) -> None:
        """
        Run all phases.

        Raises:
            Spoiled: a message is missing; `phases` ends with the phase that missed it.
        """
        self._warm_up()
        for _round, scenario, servers in self._turns("as fast as possible"):
            for server in servers:
                self._saturate(server, scenario)
        for server in self.servers:
            for scenario in self.plan.scenarios:
                figures = self.median_figures(Kind.SATURATED, server.name, scenario)
                self._rates[server.name, scenario] = figures["delivered_per_second"]
        for _round, scenario, servers in self._turns("at a fixed rate"):
            for server in servers:
                self._at_fixed_rate(server, scenario, Kind.OWN_QUARTER, server.name)
                if server.name != "postfix" and ("postfix", scenario) in self._rates:
                    self._at_fixed_rate(server, scenario, Kind.POSTFIX_QUARTER, "postfix")

    def median_figures(self, kind: Kind, server: str, scenario: Scenario) -> Figures:
        """Medians over the rounds so far; empty if there was none."""
        return medians(
            phase.figures
            for its_kind, phase in self.phases
            if (its_kind, phase.server, phase.scenario) == (kind, server, scenario)
        )

    def _turns(self, what: str) -> Iterator[tuple[int, Scenario, Sequence[Server]]]:
        """Rounds and scenarios, with the servers now in one order and now in the other."""
        for number in range(self.plan.rounds):
            self.progress(f"round {number + 1} of {self.plan.rounds}, {what}")
            for place, scenario in enumerate(self.plan.scenarios):
                backwards = (number + place) % 2 == 1
                yield number, scenario, self.servers[::-1] if backwards else self.servers

    def _warm_up(self) -> None:
        """Fill caches and start processes; learn about how fast each server is."""
        self.progress("warming up")
        for scenario in self.plan.scenarios:
            for server in self.servers:
                phase = self.stand.measure(
                    server, scenario, _WARM_UP_MESSAGES, expected_seconds=_WARM_UP_SECONDS
                )
                self._check(phase)
                self._rates[server.name, scenario] = phase.figures["delivered_per_second"]

    def _saturate(self, server: Server, scenario: Scenario) -> None:
        rate = self._rates[server.name, scenario]
        messages = self.plan.messages or min(
            max(int(rate * self.plan.saturated_seconds), _MIN_MESSAGES), _MAX_MESSAGES
        )
        phase = self.stand.measure(server, scenario, messages, expected_seconds=messages / rate)
        self.phases.append((Kind.SATURATED, phase))
        self._rates[server.name, scenario] = phase.figures["delivered_per_second"] or rate
        self._check(phase)

    def _at_fixed_rate(self, server: Server, scenario: Scenario, kind: Kind, rate_of: str) -> None:
        rate = self._rates[rate_of, scenario] * _FIXED_RATE_PART
        messages = max(int(rate * self.plan.fixed_rate_seconds), _MIN_FIXED_RATE_MESSAGES)
        phase = self.stand.measure(
            server, scenario, messages, rate=rate, expected_seconds=messages / rate
        )
        self.phases.append((kind, phase))
        self._check(phase)

    @staticmethod
    def _check(phase: Phase) -> None:
        if phase.missing or not phase.figures["delivered_per_second"]:
            raise Spoiled(f"{phase.server}, {phase.scenario}: {'; '.join(phase.faults)}")
