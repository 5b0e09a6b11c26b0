"""
Measures how fast readers who click are sent on.

    python bench/redirects.py [--quick] [--rounds N] [--json FILE]

The daemon and a bare resource of twisted.web, which redirects and does nothing else, take turns.
Both have core 0, those who click core 1. Every click of ours leads to its own original, proves
itself, and becomes an event; all must be there at the end, each once. Then mail flows through the
daemon at a fixed rate, and the clicks come at a quarter of the rate that saturates it.
Exit status 1: an answer was wrong or did not come, an event is missing, or a server did not start.
"""

import argparse
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import Connection, func, select

from bench.bare import LOCATION
from bench.browsers import Answered, Browsers, Clicks
from bench.certificate import write_certificate
from bench.content import Contents
from bench.daemon import Daemon
from bench.figures import Figures, percentile
from bench.load import Load, Reuse
from bench.machine import LOAD_CORE, SERVER_CORE, cores_missing, free_port, pinned
from bench.phase import turn_figures
from bench.server import ServerFailed
from bench.worker import GeneratorWorker, SinkWorker, WorkerFailed
from smtpeter.store import origins, trackingkeys
from smtpeter.store.database import Database
from smtpeter.store.tables import events, messages
from smtpeter.transform import weburl
from smtpeter.transform.identifier import Identifiers
from smtpeter.transform.trackedurl import tracked_url

_MESSAGES = 5000
_MESSAGE_OCTETS = 4096
_LINKS = 5
_PART = 0.25  # of the rate that saturates
_PATIENCE_SECONDS = 120.0
_START_SECONDS = 20.0
_LOOK_SECONDS = 0.05
_BROWSER = (
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\n"
)


def main() -> int:
    options = _parser().parse_args()
    if cores_missing():
        print("redirects.py needs two cores, 0 and 1", file=sys.stderr)
        return 1
    try:
        with contextlib.ExitStack() as cleaning:
            cleaning.enter_context(pinned(LOAD_CORE))
            base = cleaning.enter_context(tempfile.TemporaryDirectory(prefix="smtpeter-bench-"))
            stand = Stand(Path(base), 2.0 if options.quick else 6.0, options.rounds, cleaning)
            stand.fill()
            figures = stand.saturate()
            rate = figures["ours_per_second"] * _PART
            figures |= stand.with_mail(rate, options.mail)
    except (ServerFailed, WorkerFailed) as error:
        print(f"redirects.py: {error}", file=sys.stderr)
        return 1
    for name, figure in figures.items():
        print(f"{name:32} {figure:10.2f}")
    print(
        "\n".join(f"FAULT: {fault}" for fault in stand.faults) or "\nEvery click became one event."
    )
    if options.json is not None:
        document = {"figures": figures, "faults": stand.faults}
        options.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return 1 if stand.faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measures how fast readers are sent on.")
    add = parser.add_argument
    add("--quick", action="store_true", help="short rounds, and rough")
    add("--rounds", type=int, default=3, metavar="N", help="figures are medians (default 3)")
    add("--mail", type=float, default=200.0, metavar="N", help="messages per second (default 200)")
    add("--json", type=Path, metavar="FILE", help="also write all figures there")
    return parser


class Stand:
    """
    The daemon and the bare resource, both running, and what was made of them.

    Args:
        base: an empty directory.
        seconds: how long a phase lasts.
        rounds: how often each server is saturated.
    """

    def __init__(
        self, base: Path, seconds: float, rounds: int, cleaning: contextlib.ExitStack
    ) -> None:
        self._seconds = seconds
        self._rounds = rounds
        self._sink = cleaning.enter_context(SinkWorker())
        self._generator = cleaning.enter_context(GeneratorWorker())
        self._ports = {"bare": free_port(), "ours": free_port()}
        certificate = write_certificate(base)
        self._daemon = Daemon(
            base / "smtpeter", certificate, self._sink.port, http_port=self._ports["ours"]
        )
        cleaning.callback(self._daemon.stop)
        self._daemon.start()
        cleaning.enter_context(_bare(self._ports["bare"]))
        self._database = Database.open(self._daemon.database_url)
        cleaning.callback(self._database.close)
        self._sent = 0
        self._clicked = 0
        self._requests: list[bytes] = []
        self.faults: list[str] = []

    def fill(self) -> None:
        """Send the messages whose links are clicked."""
        self._send(_MESSAGES, 0.0)
        self._sink.await_arrivals(_MESSAGES, _PATIENCE_SECONDS)
        with self._database.begin() as connection:
            self._requests = _requests(connection)

    def saturate(self) -> Figures:
        """Let both redirect as fast as they can, in turns."""
        rates: dict[str, list[float]] = {name: [] for name in self._ports}
        for name in self._ports:
            self._click(name)  # to warm up
        for number in range(self._rounds):
            for name in sorted(self._ports, reverse=number % 2 == 1):
                answered = self._click(name)
                rates[name].append(answered.answered / answered.seconds)
        bare, ours = (median(rates[name]) for name in ("bare", "ours"))
        return {"bare_per_second": bare, "ours_per_second": ours, "ratio": ours / bare}

    def with_mail(self, clicks_per_second: float, mail_per_second: float) -> Figures:
        """Let the daemon redirect at a fixed rate, while mail flows through it."""
        messages = int(mail_per_second * (self._seconds + 2))
        sending = threading.Thread(target=self._send, args=(messages, mail_per_second))
        sending.start()
        time.sleep(1)
        before = self._daemon.turns()
        answered = self._click("ours", clicks_per_second)
        turns = turn_figures(before, self._daemon.turns())
        sending.join()
        self._sink.await_arrivals(self._sent, _PATIENCE_SECONDS)
        return {
            "with_mail_mail_per_second": mail_per_second,
            "with_mail_clicks_per_second": answered.answered / answered.seconds,
            "with_mail_p50_ms": percentile(answered.waits, 50) * 1000,
            "with_mail_p99_ms": percentile(answered.waits, 99) * 1000,
            "with_mail_max_ms": max(answered.waits, default=0.0) * 1000,
            "with_mail_turn_p99_ms": turns["turn_wall_p99_ms"],
        }

    def _click(self, name: str, per_second: float = 0.0) -> Answered:
        """One phase; what was clicked at the daemon is recorded before the next begins."""
        clicks = Clicks(self._ports[name], self._requests, LOCATION, self._seconds, per_second)
        answered = Browsers(clicks).run()
        self.faults += [f"{name}: {fault}" for fault in answered.faults]
        if name == "ours":
            self._clicked += answered.answered
            self._await_recorded()
        return answered

    def _await_recorded(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (recorded := self._recorded()) < self._clicked and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        if recorded != self._clicked:
            self.faults.append(f"{self._clicked} clicks became {recorded} events")

    def _recorded(self) -> int:
        query = select(func.count()).select_from(events).where(events.c.kind == "click")
        with self._database.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def _send(self, count: int, per_second: float) -> None:
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
        if refused := self._generator.send(load).refused:
            self.faults.append(f"{refused} messages were refused")


def _requests(connection: Connection) -> list[bytes]:
    """A click on each of some links of each message."""
    newest, *older = (key.secret for key in trackingkeys.keys(connection))
    identifiers = Identifiers(newest, older)
    original = weburl.parse(LOCATION.decode())
    assert original is not None
    (origin,) = origins.numbers_of(connection, [original.origin]).values()
    ids = connection.execute(select(messages.c.id)).scalars().all()
    return [
        b"GET %b HTTP/1.1\r\nHost: clicks.example.org\r\n%b\r\n"
        % (
            tracked_url("", original, identifiers.make(each, "click", link, origin)).encode(),
            _BROWSER,
        )
        for link in range(_LINKS)
        for each in ids
    ]


@contextlib.contextmanager
def _bare(port: int) -> Iterator[None]:
    """The bare resource, on the servers' core."""
    program = Path(__file__).with_name("bare.py")
    with pinned(SERVER_CORE):
        process = subprocess.Popen(
            [sys.executable, str(program), str(port)], start_new_session=True
        )
    try:
        _await_connection(port)
        yield
    finally:
        process.kill()
        process.wait()


def _await_connection(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise ServerFailed("the bare resource does not listen") from None
            time.sleep(_LOOK_SECONDS)
        else:
            return


if __name__ == "__main__":
    sys.exit(main())
