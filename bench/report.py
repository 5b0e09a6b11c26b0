"""What a run of relay.py tells: tables, warnings, JSON."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.figures import FIXED_RATE_ROWS, SATURATED_ROWS, Figures, ratio, table
from bench.phase import Phase, Scenario
from bench.run import Kind, Run

_LOAD_LIMIT = 0.9
_FOREIGN_LIMIT = 0.15
_LATENESS_LIMIT_MS = 50.0
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
        parts = [f"{key}: {value}" for key, value in self.surroundings.items()]
        parts = ["\n".join(parts)]
        for scenario in self.run.plan.scenarios:
            columns = [(name, self._figures(Kind.SATURATED, name, scenario)) for name in names]
            parts.append(
                table(f"{scenario}: as fast as possible", columns, SATURATED_ROWS, "postfix")
            )
            columns = [(name, self._figures(Kind.OWN_QUARTER, name, scenario)) for name in names]
            slow = self._figures(Kind.POSTFIX_QUARTER, "smtpeter", scenario)
            columns.append(("smtpeter, slow", slow))
            parts.append(
                table(
                    f"{scenario}: each at a quarter of its own rate (slow: of Postfix's)",
                    columns,
                    FIXED_RATE_ROWS,
                    "postfix",
                )
            )
        return "\n\n".join([*parts, *self.warnings()])

    def warnings(self) -> list[str]:
        """What makes figures less than they seem."""
        found: list[str] = []
        for kind, phase in self.run.phases:
            figures = phase.figures
            where = f"{phase.server}, {phase.scenario}, {kind.value}"
            if figures["load_busy"] > _LOAD_LIMIT:
                found.append(
                    f"WARNING: {where}: generator and sink used {figures['load_busy']:.0%} of"
                    " their core: they are the limit, not the server"
                )
            elif figures["load_core_busy"] > _LOAD_LIMIT:
                found.append(
                    f"WARNING: {where}: others filled the core of generator and sink to"
                    f" {figures['load_core_busy']:.0%}: they may be the limit"
                )
            if figures["foreign_busy"] > _FOREIGN_LIMIT:
                found.append(
                    f"WARNING: {where}: others used {figures['foreign_busy']:.0%}"
                    " of the server's core"
                )
            if figures["lateness_ms"] > _LATENESS_LIMIT_MS:
                found.append(
                    f"WARNING: {where}: a message waited {figures['lateness_ms']:.0f} ms"
                    " for a free session"
                )
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
