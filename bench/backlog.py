"""
Measures what it costs that very much mail waits: 1 000 000 messages for 10 000 receivers.

    python bench/backlog.py [--quick] [--only small,same,part,all,campaign] [--json FILE]

The stores are filled directly, with what the front doors would have written. Each receiver is a
domain with a host of its own, at an address of its own; one sink is behind them all. Each run
starts the daemon anew, and has these messages to deliver:

small
    1 000, two for each of 500 receivers; nothing else waits.
same
    The same 1 000, and all others wait for hours. Whatever is otherwise than in "small" comes from
    those that wait: this is the comparison that is fair beyond doubt.
part
    20 000, two for each of the 10 000 receivers, so that a message takes as many connections and
    as many questions to the name server as in "small"; the others wait.
all
    All are due, as after a long outage. Measured over the first 20 000 that arrive.

Rates are those of the middle nine tenths, from the start of the daemon on; "small" and "same" take
turns, and their figures are medians over rounds. Memory per message is what "same" holds when all
is quiet, less what "small" holds.

campaign
    100 000 messages of one account wait for one receiver, for hours first, and then they are due.
    Meanwhile another account submits single messages to the same receiver, one after the other. How
    long do they take, and how many of the campaign arrive between the 250 of one and its arrival?

Exit status 1: a message was lost or arrived twice, or the daemon did not start.
"""

import argparse
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import command
from bench.figures import Row, medians, ratio, table
from bench.machine import LOAD_CORE
from bench.waiting import (
    ALL,
    CAMPAIGN,
    CONTENT_OCTETS,
    IDLE,
    OF_SMALL,
    PART,
    SAME,
    SMALL,
    Plan,
    Stand,
)

_PARTS = (SMALL, SAME, PART, ALL, CAMPAIGN)
_MIB = 1024 * 1024
_LEAST_RATIO = 0.8
_FOREIGN_LIMIT, _LOAD_LIMIT = 0.15, 0.9

_ROWS = (
    Row("delivered_per_second", "delivered, messages/s"),
    Row("server_cpu_ms", "server CPU, ms per message"),
    Row("messages_per_connection", "messages per connection", compared=False),
    Row("first_delivery_seconds", "start to first delivery, s"),
    Row("greeting_seconds", "start to greeting, s"),
    Row("resident_mib", "resident memory, MiB: at last"),
    Row("peak_mib", "  peak"),
    Row("turn_wall_p99_ms", "reactor turn, ms: p99", compared=False),
    Row("turn_wall_max_ms", "  max", compared=False),
    Row("turn_cpu_max_ms", "  max, CPU time of its thread", compared=False),
    Row("foreign_busy", "strangers, of the daemon's core", is_fraction=True, compared=False),
    Row("load_core_busy", "the other core busy", is_fraction=True, compared=False),
)
_SINGLE_ROWS = (
    Row("p50_ms", "submission to arrival, ms: p50"),
    Row("max_ms", "  max"),
    Row("between_p50", "of the campaign between: p50", compared=False),
    Row("between_max", "  max", compared=False),
    Row("campaign_per_second", "campaign, messages/s", compared=False),
)


def main() -> int:
    options = _parser().parse_args()
    return command.run("backlog.py", [LOAD_CORE], lambda: _measure(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measures what it costs that much mail waits.")
    add = parser.add_argument
    add("--quick", action="store_true", help="20 000 messages, one short round, and rough")
    add("--messages", type=int, metavar="N", help="that wait (default 1 000 000)")
    add("--receivers", type=int, metavar="N", help="that they are for (default 10 000)")
    add("--accounts", type=int, default=4, metavar="N", help="that they are of (default 4)")
    add("--part", type=int, metavar="N", help="that are due among them (default 20 000)")
    add("--campaign", type=int, metavar="N", help="messages to one receiver (default 100 000)")
    add("--rounds", type=int, metavar="N", help="of small and same (default 3)")
    add("--only", metavar="PART,...", default=",".join(_PARTS), help=f"of {', '.join(_PARTS)}")
    add("--json", type=Path, metavar="FILE", help="also write all figures there")
    add("--dir", type=Path, metavar="DIR", help="where the daemon keeps its state: some 2 GB")
    add("--profile", type=Path, metavar="FILE", help="run it under cProfile; of the last run")
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    quick = options.quick
    only = frozenset(options.only.split(","))
    if unknown := only.difference(_PARTS):
        raise SystemExit(f"backlog.py: there is no part {min(unknown)!r}")
    return Plan(
        messages=options.messages or (20_000 if quick else 1_000_000),
        receivers=options.receivers or (1_000 if quick else 10_000),
        accounts=options.accounts,
        part=options.part or (2_000 if quick else 20_000),
        campaign=options.campaign or (10_000 if quick else 100_000),
        rounds=options.rounds or (1 if quick else 3),
        only=only,
    )


def _measure(options: argparse.Namespace) -> int:
    plan = _plan(options)
    began_at = time.monotonic()
    with contextlib.ExitStack() as cleaning:
        base = Path(
            cleaning.enter_context(
                tempfile.TemporaryDirectory(prefix="smtpeter-bench-", dir=options.dir)
            )
        )
        stand = Stand(base, plan, options.profile, cleaning, _progress)
        stand.run()
        queue = f"{plan.messages} messages for {plan.receivers} receivers"
        queue += f", of {plan.accounts} accounts"
        surroundings = command.surroundings(stand.version, base, queue=queue)
    report = Report(plan, stand)
    print("\n".join(f"{key}: {value}" for key, value in surroundings.items()))
    print(f"\n{report.text()}")
    if options.json is not None:
        document = {"surroundings": surroundings, **report.json()}
        options.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(f"\n{time.monotonic() - began_at:.0f} s in all", file=sys.stderr)
    return 1 if stand.faults else 0


class Report:
    """
    What was found.

    Args:
        stand: after its run.
    """

    def __init__(self, plan: Plan, stand: Stand) -> None:
        self._plan = plan
        self._stand = stand
        self._medians = {
            name: medians(figures for its_name, figures in stand.runs if its_name == name)
            for name in (SMALL, SAME, PART, ALL)
        }
        self._singles = dict(stand.singles)

    def text(self) -> str:
        plan = self._plan
        columns = [
            (SMALL, self._medians[SMALL]),
            (SAME, self._medians[SAME]),
            (PART, self._medians[PART]),
            (ALL, self._medians[ALL]),
        ]
        title = f"{CONTENT_OCTETS / 1024:g} KiB; {OF_SMALL} due, the same among {plan.messages},"
        title += f" {plan.part} due among these, all due"
        singles = "a message to a receiver for which nothing is due, or a campaign of"
        faults = "\n".join(f"FAULT: {fault}" for fault in self._stand.faults)
        parts = [
            table(title, columns, _ROWS, SMALL),
            table(f"{singles} {plan.campaign}", list(self._singles.items()), _SINGLE_ROWS, IDLE),
            "\n".join([*self._memory_lines(), *self._goals()]),
            "\n".join(self._warnings()),
            faults or "Every message that arrived was due, and is noted as delivered.",
        ]
        return "\n\n".join(part for part in parts if part)

    def _octets_per_message(self) -> float | None:
        """Memory at rest for each message that waits; None when it was not measured."""
        small, same = (self._medians[name].get("resident_mib") for name in (SMALL, SAME))
        if small is None or same is None:
            return None
        return (same - small) * _MIB / (self._plan.messages - OF_SMALL)

    def _memory_lines(self) -> list[str]:
        octets = self._octets_per_message()
        return [] if octets is None else [f"memory per waiting message: {octets:.0f} octets"]

    def _goals(self) -> list[str]:
        lines = []
        for name, quotient in self._ratios().items():
            met = "met" if quotient >= _LEAST_RATIO else "MISSED"
            lines.append(
                f"goal: delivered per second by that of {SMALL} ({_LEAST_RATIO:g}), {name}:"
                f" {quotient:.2f}, {met}"
            )
        return lines

    def _ratios(self) -> dict[str, float]:
        """How much as fast as the small queue each of the others is."""
        key = "delivered_per_second"
        base = self._medians[SMALL].get(key)
        found = {name: ratio(self._medians[name].get(key), base) for name in (SAME, PART, ALL)}
        return {name: quotient for name, quotient in found.items() if quotient is not None}

    def _warnings(self) -> list[str]:
        """What makes figures less than they seem."""
        found = []
        for key, limit, words in (
            (
                "foreign_busy",
                _FOREIGN_LIMIT,
                "strangers used the daemon's core, up to {:.0%} of it",
            ),
            ("load_core_busy", _LOAD_LIMIT, "the core of the sink was full, up to {:.0%}"),
        ):
            values = [figures[key] for _name, figures in self._stand.runs]
            above = [value for value in values if value > limit]
            if above:
                text = words.format(max(above))
                found.append(f"WARNING: in {len(above)} of {len(values)} runs {text}")
        return found

    def json(self) -> dict[str, Any]:
        """Everything, with the figures of every single run."""
        return {
            "medians": self._medians,
            "delivered_to_small_ratio": self._ratios(),
            "octets_per_waiting_message": self._octets_per_message(),
            "singles": self._singles,
            "runs": [{"part": name, "figures": figures} for name, figures in self._stand.runs],
            "goals": self._goals(),
            "warnings": self._warnings(),
            "faults": self._stand.faults,
        }


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
