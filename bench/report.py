"""What a run of relay.py tells: tables, warnings, JSON."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.figures import FIXED_RATE_ROWS, SATURATED_ROWS, Figures, ratio, table
from bench.phase import Phase, Scenario
from bench.run import Kind, Run

_LOAD_LIMIT = 0.9
_DISTURBANCES = (  # figure, limit, what it means
    ("foreign_busy", 0.15, "strangers used the server's core, up to {:.0%} of it"),
    ("load_core_busy", 0.9, "the core of generator and sink was full, up to {:.0%}"),
    ("lateness_ms", 50.0, "a message waited for a free session, up to {:.0f} ms"),
)
_RATIOS = (
    "accepted_per_second",
    "delivered_per_second",
    "server_cpu_ms",
    "after_250_p99_ms",
    "after_content_p50_ms",
    "after_content_p99_ms",
)


@dataclass(frozen=True)
class Report:
    """
    Tells what a run found.

    Args:
        run: complete or not.
        surroundings: what the figures depend on: machine, versions, options.
    """

    run: Run
    surroundings: Mapping[str, Any]

    def text(self) -> str:
        names = [server.name for server in self.run.servers]
        parts = ["\n".join(f"{key}: {value}" for key, value in self.surroundings.items())]
        for scenario in self.run.plan.scenarios:
            saturated = [(name, self._figures(Kind.SATURATED, name, scenario)) for name in names]
            title = f"{scenario}: as fast as possible"
            parts.append(table(title, saturated, SATURATED_ROWS, "postfix"))
            paced = [(name, self._figures(Kind.OWN_QUARTER, name, scenario)) for name in names]
            slow = self._figures(Kind.POSTFIX_QUARTER, "smtpeter", scenario)
            title = f"{scenario}: each at a quarter of its own rate (slow: of Postfix's)"
            parts.append(
                table(title, [*paced, ("smtpeter, slow", slow)], FIXED_RATE_ROWS, "postfix")
            )
        parts.append("\n".join(self.warnings()))
        return "\n\n".join(part for part in parts if part)

    def warnings(self) -> list[str]:
        """What makes figures less than they seem."""
        found = [
            f"WARNING: {phase.server}, {phase.scenario}, {kind.value}: generator and sink used"
            f" {phase.figures['load_busy']:.0%} of their core: they are the limit, not the server"
            for kind, phase in self.run.phases
            if phase.figures["load_busy"] > _LOAD_LIMIT
        ]
        for key, limit, text in _DISTURBANCES:
            values = [phase.figures[key] for _kind, phase in self.run.phases]
            above = [value for value in values if value > limit]
            if above:
                worst = text.format(max(above))
                found.append(f"WARNING: in {len(above)} of {len(values)} phases {worst}")
        return found

    def faults(self) -> list[str]:
        return [
            f"FAULT: {phase.server}, {phase.scenario}, {kind.value}: {fault}"
            for kind, phase in self.run.phases
            for fault in phase.faults
        ]

    def json(self) -> dict[str, Any]:
        """Everything, with the figures of every single phase."""
        scenarios = [self._scenario_json(scenario) for scenario in self.run.plan.scenarios]
        return {
            "surroundings": dict(self.surroundings),
            "scenarios": scenarios,
            "phases": [_phase_json(kind, phase) for kind, phase in self.run.phases],
            "warnings": self.warnings(),
            "faults": self.faults(),
        }

    def _scenario_json(self, scenario: Scenario) -> dict[str, Any]:
        medians: dict[str, dict[str, Figures]] = {}
        ratios: dict[str, Figures] = {}
        for kind in Kind:
            found = {
                server.name: figures
                for server in self.run.servers
                if (figures := self._figures(kind, server.name, scenario))
            }
            medians[kind.name.lower()] = found
            theirs = found.get("postfix") or medians.get("own_quarter", {}).get("postfix", {})
            ours = found.get("smtpeter", {})
            ratios[kind.name.lower()] = {
                key: quotient
                for key in _RATIOS
                if (quotient := ratio(ours.get(key), theirs.get(key))) is not None
            }
        return {
            "content_octets": scenario.content_octets,
            "connections": scenario.reuse.value,
            "medians": medians,
            "ratios_to_postfix": ratios,
        }

    def _figures(self, kind: Kind, server: str, scenario: Scenario) -> Figures:
        return self.run.median_figures(kind, server, scenario)


def _phase_json(kind: Kind, phase: Phase) -> dict[str, Any]:
    return {
        "kind": kind.name.lower(),
        "server": phase.server,
        "content_octets": phase.scenario.content_octets,
        "connections": phase.scenario.reuse.value,
        "messages": phase.messages,
        "tls": phase.tls,
        "faults": phase.faults,
        # JSON knows no nan: a percentile of no message at all
        "figures": {
            key: None if math.isnan(value) else value for key, value in phase.figures.items()
        },
    }
