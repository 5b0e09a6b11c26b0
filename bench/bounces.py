"""
Measures what a storm of bounces costs those who send mail.

    python bench/bounces.py [--quick] [--rounds N] [--together] [--json FILE]

The daemon has core 0, everybody else core 1; with --together all have both. Mail goes out with
bounces tracked; then reports of failures come back for it, in clear and without a login. They are
brought as fast as the daemon takes them, and the time is taken until the last of them has become
its events and was sent on; memory is that of the daemon and its workers. Then mail is handed in, in
turns without bounces and while they come at a fixed rate: as fast as it is taken, and at half that
rate, where it is counted how long clients wait for the 250 from the last octet of a message on.

Exit status 1: a bounce was not taken, or became none or two failures, mail was refused, or a server
did not start.
"""

import argparse
import contextlib
import json
import sys
import tempfile
import threading
import time
from array import array
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import func, select

from bench import command
from bench.certificate import write_certificate
from bench.content import Contents
from bench.daemon import Daemon
from bench.figures import Figures, percentile
from bench.load import Load, Reuse, Sent
from bench.machine import (
    APART,
    TOGETHER,
    Places,
    free_port,
    reset_peak_memory,
    status_octets,
    tree_pids,
    tree_resident_octets,
)
from bench.phase import turn_figures
from bench.storm import Brought, Servers, Storm
from bench.worker import GeneratorWorker, SinkWorker
from smtpeter.message.bounceaddress import BounceAddresses
from smtpeter.store import trackingkeys
from smtpeter.store.database import Database
from smtpeter.store.tables import arrivals, events, messages, submissions

_MIB = 1024 * 1024
_MESSAGE_OCTETS = 4096
_HOST = "smtpeter.bench.example.org"
_WARM_UP_BOUNCES = 50
_STORM_PER_SECOND = 10_000 / 60
_HALF = 0.5
_PATIENCE_SECONDS = 300.0
_LOOK_SECONDS = 0.1


def main() -> int:
    options = _parser().parse_args()
    places = TOGETHER if options.together else APART
    return command.run("bounces.py", places.load, lambda: _measure(options, places))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measures what a storm of bounces costs.")
    add = parser.add_argument
    add("--quick", action="store_true", help="a small storm and short rounds, and rough")
    add("--rounds", type=int, default=3, metavar="N", help="figures are medians (default 3)")
    add("--messages", type=int, default=2000, metavar="N", help="that bounce (default 2000)")
    add("--storm", type=int, default=10_000, metavar="N", help="how many come (default 10000)")
    add("--seconds", type=float, default=10.0, metavar="N", help="of a round (default 10)")
    add("--together", action="store_true", help="the daemon shares both cores with the load")
    add("--json", type=Path, metavar="FILE", help="also write all figures there")
    return parser


def _measure(options: argparse.Namespace, places: Places) -> int:
    if options.quick:
        options.messages, options.storm, options.seconds, options.rounds = 100, 300, 1.0, 1
    with contextlib.ExitStack() as cleaning:
        base = cleaning.enter_context(tempfile.TemporaryDirectory(prefix="smtpeter-bench-"))
        stand = Stand(Path(base), options.seconds, places, cleaning)
        stand.fill(options.messages)
        figures = stand.storm(options.storm)
        figures |= stand.side_by_side(options.rounds)
        figures |= stand.at_half(options.rounds)
        stand.check()
    for name, figure in figures.items():
        print(f"{name:36} {figure:10.2f}")
    print(
        "\n".join(f"FAULT: {fault}" for fault in stand.faults) or "\nEvery bounce became a failure."
    )
    if options.json is not None:
        document = {"figures": figures, "faults": stand.faults}
        options.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return 1 if stand.faults else 0


class Stand:
    """
    The daemon, running, and what was made of it.

    Args:
        base: an empty directory.
        seconds: how long mail is handed in, in each round.
    """

    def __init__(
        self, base: Path, seconds: float, places: Places, cleaning: contextlib.ExitStack
    ) -> None:
        self._seconds = seconds
        self._port = free_port()
        self._sink = cleaning.enter_context(SinkWorker(cores=places.load))
        self._generator = cleaning.enter_context(GeneratorWorker(cores=places.load))
        self._daemon = Daemon(
            base / "smtpeter",
            write_certificate(base),
            self._sink.port,
            features=["trackbounces"],
            bounces_port=self._port,
            cores=places.servers,
        )
        cleaning.callback(self._daemon.stop)
        self._daemon.start()
        self._database = Database.open(self._daemon.database_url)
        cleaning.callback(self._database.close)
        self._addresses: list[str] = []
        self._sent = 0
        self._rate = 0.0
        self._taken = 0
        self.faults: list[str] = []

    def fill(self, count: int) -> None:
        """Send the messages that bounce, and learn about how fast mail is taken."""
        self._rate = _rate(self._send(count))
        self._sink.await_arrivals(count, _PATIENCE_SECONDS)
        with self._database.connect() as connection:
            newest, *older = (key.secret for key in trackingkeys.keys(connection))
            query = select(messages.c.id, submissions.c.received).join(submissions)
            found = connection.execute(query).all()
        bounces = BounceAddresses(newest, older)
        self._addresses = [f"{bounces.make(each, received)}@{_HOST}" for each, received in found]
        # so that worker processes are there before anything is measured
        self._bring(_WARM_UP_BOUNCES, 0.0)
        self._await_finished()

    def storm(self, count: int) -> Figures:
        """Bring bounces as fast as they are taken, and wait for what follows from the last."""
        before_mib = self._resident_mib()
        for pid in tree_pids(self._daemon.root_pid()):
            reset_peak_memory(pid)
        turns = self._daemon.turns()
        began_at = time.monotonic()
        brought = self._bring(count, 0.0)
        self._await_finished()
        seconds = time.monotonic() - began_at
        peaks = [status_octets(pid, "VmHWM") for pid in tree_pids(self._daemon.root_pid())]
        return {
            "storm_taken_per_second": brought.taken / brought.seconds,
            "storm_finished_per_second": brought.taken / seconds,
            "storm_resident_before_mib": before_mib,
            "storm_resident_after_mib": self._resident_mib(),
            "storm_peak_mib": sum(peaks) / _MIB,
            "storm_turn_p99_ms": turn_figures(turns, self._daemon.turns())["turn_wall_p99_ms"],
        }

    def side_by_side(self, rounds: int) -> Figures:
        """Hand mail in, without bounces and with them."""
        count = max(int(self._rate * self._seconds), 1)
        self._send(count)  # to warm up
        alone, beside = (
            median(map(_rate, each)) for each in self._in_turns(rounds, count, per_second=0.0)
        )
        self._rate = alone
        return {
            "mail_alone_per_second": alone,
            "mail_beside_bounces_per_second": beside,
            "bounces_per_second": _STORM_PER_SECOND,
            "ratio": beside / alone,
        }

    def at_half(self, rounds: int) -> Figures:
        """The same at half the rate: how long do clients wait?"""
        per_second = self._rate * _HALF
        count = max(int(per_second * self._seconds), 1)
        figures: Figures = {"half_per_second": per_second}
        sent = self._in_turns(rounds, count, per_second=per_second)
        for name, rounds_sent in zip(("alone", "beside"), sent, strict=True):
            for part in (50, 99):
                waits = median(percentile(_waits_ms(each), part) for each in rounds_sent)
                figures[f"half_{name}_250_p{part}_ms"] = waits
            figures[f"half_{name}_taken_per_second"] = median(map(_rate, rounds_sent))
        return figures

    def _in_turns(
        self, rounds: int, count: int, *, per_second: float
    ) -> tuple[list[Sent], list[Sent]]:
        """What became of mail without bounces, and with them, in so many rounds of each."""
        alone: list[Sent] = []
        beside: list[Sent] = []
        for number in range(rounds):
            for with_bounces in (False, True) if number % 2 else (True, False):
                if with_bounces:
                    beside.append(self._send_beside(count, per_second))
                else:
                    alone.append(self._send(count, per_second))
        return alone, beside

    def check(self) -> None:
        """Every bounce is there, with one failure each."""
        self._await_finished()
        with self._database.connect() as connection:
            query = select(func.count()).select_from(events).where(events.c.kind == "failure")
            failures = int(connection.execute(query).scalar_one())
        if failures != self._taken:
            self.faults.append(f"{self._taken} bounces became {failures} failures")

    def _send_beside(self, count: int, per_second: float) -> Sent:
        expected_seconds = count / (per_second or self._rate)
        bounces = int(expected_seconds * _STORM_PER_SECOND)
        bringing = threading.Thread(target=self._bring, args=(bounces, _STORM_PER_SECOND))
        bringing.start()
        sent = self._send(count, per_second)
        bringing.join()
        self._await_finished()
        return sent

    def _bring(self, count: int, per_second: float) -> Brought:
        brought = Servers(Storm(self._port, self._addresses, count, per_second)).run()
        self._taken += brought.taken
        self.faults += brought.faults
        return brought

    def _send(self, count: int, per_second: float = 0.0) -> Sent:
        """Hand in so many, as fast as they are taken or at a rate."""
        load = Load(
            target=self._daemon.target,
            first_id=self._sent + 1,
            messages=count,
            maker=Contents(_MESSAGE_OCTETS),
            reuse=Reuse.MANY,
            messages_per_second=per_second,
            resume=False,
            deadline_seconds=_PATIENCE_SECONDS,
        )
        self._sent += count
        sent = self._generator.send(load)
        if sent.refused:
            self.faults.append(f"{sent.refused} messages were refused: {sent.failures}")
        return sent

    def _await_finished(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        query = select(func.count()).select_from(arrivals).where(arrivals.c.finished.is_(None))
        while True:
            with self._database.connect() as connection:
                waiting = int(connection.execute(query).scalar_one())
            if not waiting:
                return
            if time.monotonic() > deadline:
                self.faults.append(f"{waiting} bounces were not read")
                return
            time.sleep(_LOOK_SECONDS)

    def _resident_mib(self) -> float:
        return tree_resident_octets(self._daemon.root_pid()) / _MIB


def _rate(sent: Sent) -> float:
    """How many were taken in a second."""
    accepted_at = array("d", sent.accepted_at)
    return len(accepted_at) / (max(accepted_at) - sent.first_send_at)


def _waits_ms(sent: Sent) -> list[float]:
    """From the last octet of each message to its 250."""
    times = zip(array("d", sent.content_sent_at), array("d", sent.accepted_at), strict=True)
    return [(accepted - content) * 1000 for content, accepted in times if accepted]


if __name__ == "__main__":
    sys.exit(main())
