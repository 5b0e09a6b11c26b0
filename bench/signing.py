"""
Measures what it costs to sign: messages delivered with DKIM, against without.

    python bench/signing.py [--quick] [--rounds N] [--sizes KIB,...] [--together] [--json FILE]

One daemon relays to one sink, and three accounts take turns: one without a sender domain, whose
mail goes unsigned, one whose mail gets an RSA signature of 2048 bits, and one whose mail gets an
Ed25519 signature. All else is as in relay.py. The sink looks at each message who has signed it; of
each phase the first signatures are verified by dkimpy. Exit status 1: a message was refused, lost,
arrived twice, or was signed otherwise than it should, or the daemon did not start.
"""

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dkim  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import command
from bench.certificate import write_certificate
from bench.content import Contents, Maker
from bench.daemon import Daemon
from bench.figures import SATURATED_ROWS, Figures, medians, ratio, table
from bench.load import Reuse, Target
from bench.machine import APART, TOGETHER
from bench.phase import Phase, Scenario, Stand
from bench.sink import NO_ID, Keep
from bench.worker import GeneratorWorker, SinkWorker

_LOOKED_AT = 5  # of each phase
_WARM_UP_MESSAGES = 400
_WARM_UP_SECONDS = 5.0
_MIN_MESSAGES = 400
_MAX_MESSAGES = 50_000
_SECONDS, _QUICK_SECONDS = 5.0, 1.5
_LOAD_LIMIT, _FOREIGN_LIMIT = 0.9, 0.15
_OFF, _RSA, _ED25519 = "off", "rsa-2048", "ed25519"


@dataclass(frozen=True)
class Sender:
    """
    Whose mail is sent.

    Args:
        kind: of its signatures.
        target: where, with which login.
        author: whose address is in the From field.
        signers: the domains that are to sign.
    """

    kind: str
    target: Target
    author: bytes
    signers: tuple[bytes, ...]


@dataclass(frozen=True)
class BySender(Scenario):
    """Messages of one sender."""

    sender: Sender

    def __str__(self) -> str:
        return f"{self.content_octets / 1024:g} KiB, {self.sender.kind}"

    def maker(self) -> Maker:
        return Contents(self.content_octets, self.sender.author)


class Spoiled(Exception):
    """A message was lost, so that nothing measured after it could be trusted."""


def main() -> int:
    options = _parser().parse_args()
    places = TOGETHER if options.together else APART
    return command.run("signing.py", places.load, lambda: _measure(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measures what DKIM signatures cost.")
    add = parser.add_argument
    add("--quick", action="store_true", help="one short round, and rough")
    add("--rounds", type=int, metavar="N", help="figures are medians over so many (default 3)")
    add("--sizes", default="4", metavar="KIB,...", help="of messages (default 4)")
    add("--together", action="store_true", help="the daemon shares both cores with the load")
    add("--json", type=Path, metavar="FILE", help="also write all figures there")
    add("--dir", type=Path, metavar="DIR", help="where the daemon keeps its state")
    add("--profile", type=Path, metavar="FILE", help="run it under cProfile, result there")
    return parser


def _measure(options: argparse.Namespace) -> int:
    places = TOGETHER if options.together else APART
    began_at = time.monotonic()
    with contextlib.ExitStack() as cleaning:
        base = Path(
            cleaning.enter_context(
                tempfile.TemporaryDirectory(prefix="smtpeter-bench-", dir=options.dir)
            )
        )
        sink = cleaning.enter_context(
            SinkWorker(cores=places.load, keep=Keep(_LOOKED_AT, NO_ID), signers=True)
        )
        generator = cleaning.enter_context(GeneratorWorker(places.load))
        daemon = Daemon(
            base / "smtpeter",
            write_certificate(base),
            sink.port,
            options.profile,
            cores=places.servers,
        )
        cleaning.callback(daemon.stop)
        senders = _senders(daemon)
        daemon.start()
        stand = Stand(generator, sink, resume=False, places=places)
        run = Run(stand, daemon, senders, options)
        try:
            run.run()
        except Spoiled as error:
            run.faults.append(f"the run was given up: {error}\n{daemon.last_words()}")
        daemon.stop()
        if late := len(stand.late_arrivals().ids):
            run.faults.append(f"{late} messages arrived after the end, a second time or very late")
        cores = "shared by all" if options.together else "one for the daemon"
        surroundings = command.surroundings(daemon.version(), base, cores=cores)
    print("\n".join(f"{key}: {value}" for key, value in surroundings.items()))
    print(f"\n{run.text()}")
    if options.json is not None:
        document = {"surroundings": surroundings, **run.json()}
        options.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(f"\n{time.monotonic() - began_at:.0f} s in all", file=sys.stderr)
    return 1 if run.faults else 0


def _senders(daemon: Daemon) -> list[Sender]:
    """One for each kind of signature; none is related to another's domain."""
    rsa = daemon.open_account("bench@rsa.example")
    daemon.command("domain", "add", "bench@rsa.example", "rsa.example")
    ed25519 = daemon.open_account("bench@ed25519.example")
    daemon.command("domain", "add", "bench@ed25519.example", "ed25519.example")
    daemon.command("dkim", "add", "ed25519.example", "only", "--algorithm", "ed25519", "--always")
    return [
        Sender(_OFF, daemon.target, b"bench@example.org", ()),
        Sender(_RSA, rsa, b"bench@rsa.example", (b"rsa.example",)),
        # A sender domain has RSA keys, and others sign besides these. Only for mail from
        # elsewhere a key that signs all mail of an account signs alone.
        Sender(_ED25519, ed25519, b"bench@elsewhere.example", (b"ed25519.example",)),
    ]


class Run:
    """
    Measures senders in turns; what it has found so far is in `phases` and `faults`.

    Args:
        stand: where.
        daemon: running.
        senders: whose mail; they take turns in changing order.
        options: of the command.
    """

    def __init__(
        self,
        stand: Stand,
        daemon: Daemon,
        senders: Sequence[Sender],
        options: argparse.Namespace,
    ) -> None:
        self._stand = stand
        self._daemon = daemon
        self._rounds = options.rounds or (1 if options.quick else 3)
        self._seconds = _QUICK_SECONDS if options.quick else _SECONDS
        self._sizes = [int(float(size) * 1024) for size in options.sizes.split(",")]
        self._scenarios = [
            [BySender(octets, Reuse.MANY, sender) for sender in senders] for octets in self._sizes
        ]
        self._records = _records(daemon)
        self._rates: dict[BySender, float] = {}
        self.phases: list[tuple[BySender, Phase]] = []
        self.faults: list[str] = []

    def run(self) -> None:
        """
        Run all phases.

        Raises:
            Spoiled: a message is missing; `faults` says of which phase.
        """
        _progress("warming up")
        for scenarios in self._scenarios:
            for scenario in scenarios:
                self._send(scenario, _WARM_UP_MESSAGES, _WARM_UP_SECONDS)
        for number in range(self._rounds):
            _progress(f"round {number + 1} of {self._rounds}")
            for scenarios in self._scenarios:
                for scenario in scenarios[::-1] if number % 2 else scenarios:
                    rate = self._rates[scenario]
                    count = min(max(int(rate * self._seconds), _MIN_MESSAGES), _MAX_MESSAGES)
                    self.phases.append((scenario, self._send(scenario, count, count / rate)))

    def _send(self, scenario: BySender, count: int, seconds: float) -> Phase:
        phase = self._stand.measure(
            self._daemon, scenario, count, expected_seconds=seconds, target=scenario.sender.target
        )
        faults = [*phase.faults, *self._signature_faults(scenario.sender, phase)]
        self.faults += [f"{scenario}: {fault}" for fault in faults]
        rate = phase.figures["delivered_per_second"]
        if phase.missing or not rate:
            raise Spoiled(str(scenario))
        self._rates[scenario] = rate
        return phase

    def _signature_faults(self, sender: Sender, phase: Phase) -> list[str]:
        found = [
            f"{count} messages are signed by {_named(signers)}, not by {_named(sender.signers)}"
            for signers, count in phase.signers.items()
            if signers != sender.signers
        ]
        if not phase.kept:
            found.append("the sink kept no message whose signature could be verified")
        if sender.signers:
            wrong = [kept for kept in phase.kept if not self._holds(kept.octets)]
            if wrong:
                found.append(f"{len(wrong)} signatures of {len(phase.kept)} do not hold")
        return found

    def _holds(self, octets: bytes) -> bool:
        def record(name: bytes, timeout: int = 5) -> bytes:  # noqa: ARG001
            return self._records[name.decode().removesuffix(".")].encode()

        return bool(dkim.verify(octets, dnsfunc=record))

    def text(self) -> str:
        """The figures, what makes them less than they seem, and what went wrong."""
        parts = []
        for octets in self._sizes:
            title = f"{octets / 1024:g} KiB, many messages per connection: as fast as possible"
            columns = list(self._medians(octets).items())
            parts.append(table(title, columns, SATURATED_ROWS, _OFF))
        parts.append("\n".join(self._warnings()))
        fine = "Every message arrived exactly once, with the signature that it should have."
        parts.append("\n".join(f"FAULT: {fault}" for fault in self.faults) or fine)
        return "\n\n".join(part for part in parts if part)

    def json(self) -> dict[str, Any]:
        """Everything, with the figures of every single phase."""
        return {
            "sizes": [self._size_json(octets) for octets in self._sizes],
            "phases": [
                {
                    "content_octets": scenario.content_octets,
                    "signed": scenario.sender.kind,
                    "messages": phase.messages,
                    "figures": phase.figures,
                }
                for scenario, phase in self.phases
            ],
            "warnings": self._warnings(),
            "faults": self.faults,
        }

    def _size_json(self, octets: int) -> dict[str, Any]:
        found = self._medians(octets)
        return {
            "content_octets": octets,
            "medians": found,
            "ratios_to_off": {
                kind: {
                    key: ratio(figures.get(key), found.get(_OFF, {}).get(key))
                    for key in ("delivered_per_second", "server_cpu_ms")
                }
                for kind, figures in found.items()
                if kind != _OFF
            },
        }

    def _medians(self, octets: int) -> dict[str, Figures]:
        """By the kind of signature."""
        return {
            kind: medians(
                phase.figures
                for scenario, phase in self.phases
                if (scenario.content_octets, scenario.sender.kind) == (octets, kind)
            )
            for kind in (_OFF, _RSA, _ED25519)
        }

    def _warnings(self) -> list[str]:
        found = []
        for key, limit, words in (
            ("load_busy", _LOAD_LIMIT, "generator and sink were the limit, with {:.0%} of a core"),
            ("foreign_busy", _FOREIGN_LIMIT, "strangers used the daemon's cores, up to {:.0%}"),
        ):
            values = [phase.figures[key] for _scenario, phase in self.phases]
            above = [value for value in values if value > limit]
            if above:
                text = words.format(max(above))
                found.append(f"WARNING: in {len(above)} of {len(values)} phases {text}")
        return found


def _records(daemon: Daemon) -> Mapping[str, str]:
    """What the DNS would have of all keys."""
    keys = json.loads(daemon.command("dkim", "list", "--json"))
    return {each["hostname"]: each["record"] for each in keys}


def _named(signers: Sequence[bytes]) -> str:
    return b", ".join(signers).decode("ascii", "replace") or "nobody"


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
