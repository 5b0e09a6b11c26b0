"""
Measures newsletters of 40 KiB, with all features on, against what Postfix relays untouched.

    python bench/newsletters.py [--quick] [--only postfix|smtpeter] [--json FILE]

No two newsletters are alike, and all are made before the clock starts. Servers, generator and sink
share two cores. Then newsletters come at half of the rate that saturates the daemon, while every
second a monster passes: 500 KiB, with a style sheet of 4000 rules that no other has. Exit status 1:
a message was refused, lost, arrived twice or went out as it came, or a server did not start.
"""

import argparse
import contextlib
import json
import math
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import command
from bench.arrived import Check, Transformed, untouched, with_web_version
from bench.campaign import ALONE, MONSTER_ID, SATURATED, WITH_MONSTERS, Campaign, Monster, Spoiled
from bench.certificate import write_certificate
from bench.daemon import Daemon
from bench.figures import Figures, Row, percentile, ratio, table
from bench.machine import TOGETHER, filesystem_type
from bench.newsletter import Monsters
from bench.phase import Phase, Stand
from bench.postfix import Postfix
from bench.server import Server
from bench.sink import Keep
from bench.told import Told, told
from bench.worker import GeneratorWorker, SinkWorker

_ALL_ON = ("inlinecss", "trackclicks", "trackopens", "trackbounces", "preventscam", "images")
_LOOKED_AT = 20  # of each phase
_FAULTS_TOLD = 30
_FOREIGN_LIMIT = 0.1
_LEAST_RATIO = 1.0
_MOST_TURN_MS = 50.0

_TURN_ROWS = (
    Row("turn_wall_p50_ms", "reactor turn, ms: p50", compared=False),
    Row("turn_wall_p99_ms", "  p99", compared=False),
    Row("turn_wall_p99_9_ms", "  p99.9", compared=False),
    Row("turn_wall_max_ms", "  max", compared=False),
    Row("turn_cpu_p99_9_ms", "  p99.9, CPU time of its thread", compared=False),
    Row("turn_cpu_max_ms", "  max, CPU time of its thread", compared=False),
)
_MACHINE_ROWS = (
    Row("load_busy", "generator and sink, of a core", is_fraction=True, compared=False),
    Row("load_core_busy", "machine busy", is_fraction=True, compared=False),
    Row("foreign_busy", "  with strangers", is_fraction=True, compared=False),
)
_SATURATED_ROWS = (
    Row("delivered_per_second", "delivered, messages/s"),
    Row("accepted_per_second", "accepted, messages/s"),
    Row("server_cpu_ms", "server CPU, ms per message"),
    *_TURN_ROWS,
    *_MACHINE_ROWS,
)
_HALF_ROWS = (
    Row("rate", "sent at, messages/s", compared=False),
    Row("after_content_p50_ms", "content to arrival, ms: p50"),
    Row("after_content_p99_ms", "  p99"),
    *_TURN_ROWS,
    *_MACHINE_ROWS,
)


def main() -> int:
    options = _parser().parse_args()
    return command.run("newsletters.py", TOGETHER.load, lambda: _measure(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Measures newsletters with all features on, and Postfix that relays them."
    )
    command.add_server_options(parser)
    add = parser.add_argument
    add("--quick", action="store_true", help="one short round: about a minute, and rough")
    add("--seconds", type=float, metavar="S", help="of a phase, about (default 5)")
    add("--off", action="store_true", help="smtpeter with no feature on, to see what they cost")
    add(
        "--workers-profile",
        type=Path,
        metavar="FILE",
        help="the same for its worker processes; each adds its number to the name",
    )
    return parser


def _measure(options: argparse.Namespace) -> int:
    began_at = time.monotonic()
    with contextlib.ExitStack() as cleaning:
        base = Path(tempfile.mkdtemp(prefix="smtpeter-bench-", dir=options.dir))
        cleaning.callback(shutil.rmtree, base)
        base.chmod(0o755)  # Postfix's processes run as another user
        cores = TOGETHER.load
        sink = cleaning.enter_context(SinkWorker(cores=cores, keep=Keep(_LOOKED_AT, MONSTER_ID)))
        generator, monster_generator = (
            cleaning.enter_context(GeneratorWorker(cores)) for _ in range(2)
        )
        servers, checks, daemon = _servers(options, base, sink.port)
        for server in servers:
            cleaning.callback(server.stop)
            server.start()
        stand = Stand(generator, sink, resume=False, places=TOGETHER)
        campaign = Campaign(
            stand,
            servers,
            monster_generator,
            checks,
            rounds=options.rounds or (1 if options.quick else 3),
            seconds=options.seconds or (2.0 if options.quick else 5.0),
        )
        try:
            campaign.run()
        except Spoiled as error:
            words = "\n".join(f"{server.name}: {server.last_words()}" for server in servers)
            campaign.faults.append(f"the run was given up: {error}\n{words}")
        for server in servers:
            server.stop()
        if late := len(stand.late_arrivals().ids):
            campaign.faults.append(f"{late} messages arrived after the end")
        report = Report(campaign, daemon, off=options.off)
        surroundings = _surroundings(options, base, servers)
    print("\n".join(f"{key}: {value}" for key, value in surroundings.items()))
    print(report.text())
    if options.json is not None:
        document = {"surroundings": surroundings, **report.json()}
        options.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(f"\n{time.monotonic() - began_at:.0f} s in all", file=sys.stderr)
    return 1 if report.faults else 0


def _servers(
    options: argparse.Namespace, base: Path, sink_port: int
) -> tuple[list[Server], dict[str, Check], Daemon | None]:
    """The servers, what is to be true of newsletters that they delivered, and which is ours."""
    certificate = write_certificate(base)
    servers: list[Server] = []
    checks: dict[str, Check] = {"postfix": untouched}
    daemon = None
    if options.only != "postfix":
        daemon = Daemon(
            base / "smtpeter",
            certificate,
            sink_port,
            options.profile,
            options.workers_profile,
            features=() if options.off else _ALL_ON,
            cores=TOGETHER.servers,
        )
        servers.append(daemon)
        checks[daemon.name] = (
            with_web_version if options.off else Transformed(daemon.tracking_base).newsletter
        )
    if options.only != "smtpeter":
        settings = options.postfix_set
        cores = TOGETHER.servers
        servers.append(Postfix(base / "postfix", certificate, sink_port, settings, cores=cores))
    return servers, checks, daemon


class Report:
    """
    What a run found.

    Args:
        campaign: complete or not; its servers have been stopped.
        daemon: None when it was not measured.
        off: it had no feature on.

    Attributes:
        faults: what must not happen, in words.
    """

    def __init__(self, campaign: Campaign, daemon: Daemon | None, *, off: bool) -> None:
        self._campaign = campaign
        self._told = Told([], {}) if daemon is None else told(daemon.database_url)
        self._saturated = {
            server.name: campaign.median_figures(SATURATED, server.name)
            for server in campaign.servers
        }
        self._alone, self._with_monsters = (
            campaign.median_figures(kind, "smtpeter") for kind in (ALONE, WITH_MONSTERS)
        )
        self.faults = list(campaign.faults)
        self._monsters: list[tuple[Monster, str]] = []
        for skipped in self._told.skipped:
            if skipped.message_id < MONSTER_ID:
                self.faults.append(f"{skipped.stage} failed for a newsletter: {skipped.reason}")
        if daemon is not None:
            check: Check = Transformed(daemon.tracking_base).monster
            if off:
                check = with_web_version
            self._monsters = [(each, self._fate(each, check)) for each in campaign.monsters]

    def _fate(self, monster: Monster, check: Check) -> str:
        if monster.message is None:
            self.faults.append(f"monster {monster.message_id} did not arrive")
            return "did not arrive"
        wrong = check(monster.message, Monsters())
        reasons = [
            f"{skipped.stage}: {skipped.reason}"
            for skipped in self._told.skipped
            if skipped.message_id == monster.message_id
        ]
        if wrong and not reasons:
            self.faults.append(f"monster {monster.message_id}, without a word: {'; '.join(wrong)}")
            return "not transformed, and no event says why"
        return "; ".join(reasons) or "transformed"

    def text(self) -> str:
        half = [("alone", self._alone), ("with monsters", self._with_monsters)]
        stages = ", ".join(f"{name} {value:.1f}" for name, value in self._told.stages_ms.items())
        parts = [
            "",
            table(
                "40 KiB, many messages per connection: as fast as possible",
                list(self._saturated.items()),
                _SATURATED_ROWS,
                "postfix",
            ),
            table("smtpeter, at half of that", half, _HALF_ROWS, "alone"),
            f"stages, ms (medians): {stages}" if stages else "",
            self._monsters_text(),
            "\n".join(self._goals()),
            "\n".join(self._warnings()),
            self._faults_text(),
        ]
        return "\n\n".join(part for part in parts if part)

    def _monsters_text(self) -> str:
        if not self._monsters:
            return ""
        fates: dict[str, int] = {}
        for _monster, fate in self._monsters:
            fates[fate] = fates.get(fate, 0) + 1
        seconds = _monster_seconds(self._monsters)
        middle, most = percentile(seconds, 50), percentile(seconds, 100)
        title = f"monsters, content to arrival: p50 {middle:.1f} s, max {most:.1f} s"
        return "\n".join([title, *(f"  {count} {fate}" for fate, count in fates.items())])

    def _goals(self) -> list[str]:
        lines = []
        quotient = self._ratio()
        if quotient is not None:
            met = _met(ok=quotient >= _LEAST_RATIO)
            lines.append(f"goal: delivered by Postfix's {_LEAST_RATIO:g}: {quotient:.2f}, {met}")
        for name, figures in self._turns():
            turn_ms = figures["turn_wall_p99_9_ms"]
            lines.append(
                f"goal: p99.9 of turns under {_MOST_TURN_MS:g} ms, {name}: {turn_ms:.1f} ms,"
                f" {_met(ok=turn_ms < _MOST_TURN_MS)}"
            )
        return lines

    def _ratio(self) -> float | None:
        ours, theirs = (self._saturated.get(name, {}) for name in ("smtpeter", "postfix"))
        return ratio(ours.get("delivered_per_second"), theirs.get("delivered_per_second"))

    def _turns(self) -> list[tuple[str, Figures]]:
        found = [
            (SATURATED, self._saturated.get("smtpeter", {})),
            (ALONE, self._alone),
            (WITH_MONSTERS, self._with_monsters),
        ]
        return [(name, figures) for name, figures in found if figures]

    def _warnings(self) -> list[str]:
        foreign = [phase.figures["foreign_busy"] for _kind, phase in self._campaign.phases]
        above = [value for value in foreign if value > _FOREIGN_LIMIT]
        if not above:
            return []
        phases = f"{len(above)} of {len(foreign)} phases"
        return [f"WARNING: in {phases} strangers used the machine, up to {max(above):.0%} of it"]

    def _faults_text(self) -> str:
        if not self.faults:
            return "Every message arrived exactly once, and those looked at are as they should be."
        lines = [f"FAULT: {fault}" for fault in self.faults[:_FAULTS_TOLD]]
        if more := len(self.faults) - len(lines):
            lines.append(f"FAULT: and {more} more")
        return "\n".join(lines)

    def json(self) -> dict[str, Any]:
        """Everything, with the figures of every single phase."""
        return {
            "medians": self._saturated,
            "delivered_to_postfix_ratio": self._ratio(),
            "phases": [_phase_json(kind, phase) for kind, phase in self._campaign.phases],
            "stages_ms": self._told.stages_ms,
            "monsters": [
                {"fate": fate, "seconds": None if math.isnan(each.seconds) else each.seconds}
                for each, fate in self._monsters
            ],
            "goals": self._goals(),
            "warnings": self._warnings(),
            "faults": self.faults,
        }


def _met(*, ok: bool) -> str:
    return "met" if ok else "MISSED"


def _monster_seconds(monsters: list[tuple[Monster, str]]) -> list[float]:
    return [each.seconds for each, _fate in monsters if not math.isnan(each.seconds)]


def _phase_json(kind: str, phase: Phase) -> dict[str, Any]:
    # JSON knows no nan: a percentile of no message at all
    figures = {key: None if math.isnan(value) else value for key, value in phase.figures.items()}
    return {
        "kind": kind,
        "server": phase.server,
        "messages": phase.messages,
        "tls": phase.tls,
        "figures": figures,
    }


def _surroundings(options: argparse.Namespace, base: Path, servers: list[Server]) -> dict[str, str]:
    return {
        "servers": ", ".join(server.version() for server in servers),
        "machine": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
        "file system": filesystem_type(base),
        "features": "none" if options.off else ", ".join(_ALL_ON),
        "Postfix settings": ", ".join(options.postfix_set) or "Debian's defaults",
        "when": time.strftime("%Y-%m-%d %H:%M %z"),
    }


if __name__ == "__main__":
    sys.exit(main())
