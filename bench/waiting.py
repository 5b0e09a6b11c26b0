"""Daemons with much to do: what backlog.py measures, and how."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from bench.certificate import write_certificate
from bench.content import Contents
from bench.daemon import Daemon
from bench.figures import Figures, percentile
from bench.filling import RECIPIENTS, Mailing, account_ids, fill, make_due, rewind
from bench.machine import (
    APART,
    busy_seconds,
    status_octets,
    tree_cpu_seconds,
    tree_pids,
    tree_resident_octets,
)
from bench.nameserver import domain_name
from bench.phase import turn_figures
from bench.server import ServerFailed
from bench.submitter import Submitter
from bench.worker import NameServerWorker, SinkWorker
from smtpeter.store.database import Database
from smtpeter.store.messages import State
from smtpeter.store.tables import messages

SMALL, SAME, PART, ALL, CAMPAIGN = "small", "same", "part", "all", "campaign"
IDLE = "nothing due"
OF_SMALL = 1000
CONTENT_OCTETS = 4096

_PER_RECEIVER = 2
_MIB = 1024 * 1024
_PATIENCE_SECONDS = 300.0
_QUIET_SECONDS = 12.0  # idle connections are closed after 10
_FROM, _TO = 0.05, 0.95  # of the arrivals: between them rates are taken
_SINGLES = 20
_SINGLE_ID = 900_000_000_000  # the first of theirs; no mailing gets so far
_BETWEEN_SINGLES_SECONDS = 0.3
_LOOK_SECONDS = 0.2
_CAMPAIGN_RUNS = 0.02  # so much of the campaign has arrived when singles are submitted

_DELIVERY = """\
mode = "mx"
port = {sink_port}
resolvers = ["127.0.0.1:{dns_port}"]
tls = "none"
"""


@dataclass(frozen=True)
class Plan:
    """
    How much to measure.

    Args:
        messages: that wait.
        receivers: for so many.
        accounts: of so many.
        part: how many of them are due, in turn.
        campaign: messages to one receiver.
        rounds: of "small" and "same".
        only: which parts.
    """

    messages: int
    receivers: int
    accounts: int
    part: int
    campaign: int
    rounds: int
    only: frozenset[str]


class Stand:
    """
    Daemons with much to do, and what was made of them.

    Args:
        base: an empty directory.
        profile: see Daemon.
        cleaning: ends what was begun.
        progress: is told what is being done, one line at a time.

    Attributes:
        version: of the daemon.
        runs: the figures of each, with the name of its part.
        singles: the same for single messages: `IDLE` and `CAMPAIGN`.
        faults: what must not happen, in words.
    """

    def __init__(
        self,
        base: Path,
        plan: Plan,
        profile: Path | None,
        cleaning: contextlib.ExitStack,
        progress: Callable[[str], None],
    ) -> None:
        self._base = base
        self._plan = plan
        self._profile = profile
        self._cleaning = cleaning
        self._progress = progress
        self._certificate = write_certificate(base)
        # Addresses of receivers are all over 127.0.0.0/8.
        self._sink = cleaning.enter_context(SinkWorker(host="0.0.0.0"))  # noqa: S104
        self._names = cleaning.enter_context(NameServerWorker())
        self.version = ""
        self.runs: list[tuple[str, Figures]] = []
        self.singles: list[tuple[str, Figures]] = []
        self.faults: list[str] = []

    def run(self) -> None:
        """Measure all parts that are wanted."""
        only = self._plan.only
        filled: dict[str, Daemon] = {}
        if SMALL in only:
            filled[SMALL] = self._filled(SMALL, self._due_mailings)
        if only & {SAME, PART, ALL}:
            filled[SAME] = self._filled("large", self._all_mailings)
        for number in range(self._plan.rounds):
            turn = [name for name in (SMALL, SAME) if name in only]
            for name in turn[::-1] if number % 2 else turn:
                self._progress(f"{name}, round {number + 1} of {self._plan.rounds}")
                self._deliver(name, filled[name], OF_SMALL)
                with _database(filled[name]) as database:
                    rewind(database)
        for name, count in ((PART, self._plan.part), (ALL, None)):
            if name in only:
                self._progress(name)
                with _database(filled[SAME]) as database:
                    due = make_due(database, count)
                self._deliver(name, filled[SAME], due, measured=self._plan.part)
        if CAMPAIGN in only:
            daemon = self._filled(CAMPAIGN, self._campaign_mailings)
            self._progress(CAMPAIGN)
            self._disturb(daemon)

    # What waits.

    def _filled(self, name: str, mailings: Callable[[Sequence[int]], Iterator[Mailing]]) -> Daemon:
        self._progress(f"filling a store: {name}")
        daemon = Daemon(
            self._base / name,
            self._certificate,
            self._sink.port,
            self._profile,
            delivery=_DELIVERY.format(sink_port=self._sink.port, dns_port=self._names.port),
        )
        self._cleaning.callback(daemon.stop)
        self.version = daemon.version()
        for number in range(1, max(self._plan.accounts, 2)):
            daemon.open_account(f"bench{number}@example.org")
        with _database(daemon) as database:
            fill(database, mailings(account_ids(database)), CONTENT_OCTETS)
        return daemon

    def _due_mailings(self, accounts: Sequence[int]) -> Iterator[Mailing]:
        domains = range(OF_SMALL // _PER_RECEIVER)
        for number in range(_PER_RECEIVER):
            yield Mailing(number, accounts[number % len(accounts)], domains, due=True)

    def _all_mailings(self, accounts: Sequence[int]) -> Iterator[Mailing]:
        yield from self._due_mailings(accounts)
        left = self._plan.messages - OF_SMALL
        number, turn = _PER_RECEIVER, 0
        while left > 0:
            # each account has mail for all of the receivers
            account = accounts[turn % self._plan.accounts]
            for first in range(0, self._plan.receivers, RECIPIENTS):
                most = min(RECIPIENTS, self._plan.receivers - first, left)
                if most > 0:
                    yield Mailing(number, account, range(first, first + most), due=False)
                    number += 1
                    left -= most
            turn += 1

    def _campaign_mailings(self, accounts: Sequence[int]) -> Iterator[Mailing]:
        left = self._plan.campaign
        for number in range(-(-left // RECIPIENTS)):
            count = min(RECIPIENTS, left - number * RECIPIENTS)
            yield Mailing(number, accounts[1], [0] * count, due=False)

    # What is measured.

    def _deliver(self, name: str, daemon: Daemon, due: int, measured: int | None = None) -> None:
        """
        Start, have what is due delivered, and stop.

        Args:
            due: how many messages are due.
            measured: stop when so many have arrived; None: when all have, and all is quiet.
        """
        count = min(due, measured or due)
        delivered_before = _delivered(daemon)
        self._sink.report()
        before = self._sink.arrived()
        began_at = time.monotonic()
        daemon.start()
        greeting_seconds = time.monotonic() - began_at
        turns_before = daemon.turns()
        readings = []
        for part in (_FROM, _TO):
            self._await(name, before + int(count * part))
            readings.append(_read_meters(daemon, self._sink.arrived()))
        self._await(name, before + count)
        turns = turn_figures(turns_before, daemon.turns())
        if count == due:
            time.sleep(_QUIET_SECONDS)
        resident = tree_resident_octets(daemon.root_pid())
        peak = sum(status_octets(pid, "VmHWM") for pid in tree_pids(daemon.root_pid()))
        daemon.stop()
        arrivals = self._sink.report()
        self._check(name, len(arrivals.ids), _delivered(daemon) - delivered_before, due)
        figures = {
            "delivered_per_second": _rate(arrivals.arrived_at[:count]),
            **_between(*readings),
            "messages_per_connection": len(arrivals.ids) / max(arrivals.connections, 1),
            "first_delivery_seconds": arrivals.arrived_at[0] - began_at,
            "greeting_seconds": greeting_seconds,
            "resident_mib": resident / _MIB,
            "peak_mib": peak / _MIB,
            **turns,
        }
        self.runs.append((name, figures))

    def _await(self, name: str, total: int) -> None:
        if not self._sink.await_arrivals(total, _PATIENCE_SECONDS):
            raise ServerFailed(f"{name}: {total - self._sink.arrived()} messages do not arrive")

    def _check(self, name: str, arrived: int, delivered: int, due: int) -> None:
        if arrived != delivered:
            self.faults.append(f"{name}: {arrived} arrived, {delivered} are noted as delivered")
        if arrived > due:
            self.faults.append(f"{name}: {arrived} arrived, though {due} were due")

    def _disturb(self, daemon: Daemon) -> None:
        """Submit single messages to the receiver of a campaign that waits; then while it runs."""
        daemon.start()
        self._sink.report()
        with Submitter(daemon.target) as submitter:
            self.singles.append((IDLE, self._send_singles(submitter, _SINGLE_ID)))
            before = self._sink.arrived()
            daemon.command("queue", "retry", "--receiver", domain_name(0))
            self._await(CAMPAIGN, before + int(self._plan.campaign * _CAMPAIGN_RUNS))
            self._sink.report()
            figures = self._send_singles(submitter, _SINGLE_ID + _SINGLES)
            self.singles.append((CAMPAIGN, figures))
        daemon.stop()

    def _send_singles(self, submitter: Submitter, first_id: int) -> Figures:
        contents = Contents(CONTENT_OCTETS)
        recipient = f"single@{domain_name(0)}".encode()
        ids = range(first_id, first_id + _SINGLES)
        began, accepted = {}, {}
        for each in ids:
            began[each] = time.monotonic()
            submitter.submit([recipient], contents.content(each))
            accepted[each] = time.monotonic()
            time.sleep(_BETWEEN_SINGLES_SECONDS)
        arrived, others = self._arrivals(set(ids))
        waits = [(arrived[each] - began[each]) * 1000 for each in ids if each in arrived]
        between = [
            sum(accepted[each] < at < arrived[each] for at in others)
            for each in ids
            if each in arrived
        ]
        if missing := _SINGLES - len(arrived):
            self.faults.append(f"{missing} single messages did not arrive")
        return {
            "p50_ms": percentile(waits, 50),
            "max_ms": max(waits, default=0.0),
            "between_p50": percentile(between, 50),
            "between_max": max(between, default=0.0),
            "campaign_per_second": _rate(others),
        }

    def _arrivals(self, singles: set[int]) -> tuple[dict[int, float], list[float]]:
        """When each of the single messages arrived, for which it waits; and when others did."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        arrived: dict[int, float] = {}
        others: list[float] = []
        while True:
            report = self._sink.report()
            for each, at in zip(report.ids, report.arrived_at, strict=True):
                if each in singles:
                    arrived[each] = at
                else:
                    others.append(at)
            if len(arrived) == len(singles) or time.monotonic() > deadline:
                return arrived, others
            time.sleep(_LOOK_SECONDS)


@dataclass(frozen=True)
class _Meters:
    """Readings of what only ever grows; seconds, and messages that have arrived."""

    at: float
    arrived: int
    server_cpu: float
    server_core: float
    load_core: float


def _read_meters(daemon: Daemon, arrived: int) -> _Meters:
    return _Meters(
        at=time.monotonic(),
        arrived=arrived,
        server_cpu=tree_cpu_seconds(daemon.root_pid()),
        server_core=busy_seconds(APART.servers),
        load_core=busy_seconds(APART.load),
    )


def _between(before: _Meters, after: _Meters) -> Figures:
    seconds = max(after.at - before.at, 1e-9)
    server_cpu = after.server_cpu - before.server_cpu
    foreign = after.server_core - before.server_core - server_cpu
    return {
        "server_cpu_ms": server_cpu / max(after.arrived - before.arrived, 1) * 1000,
        "foreign_busy": max(foreign / seconds, 0.0),
        "load_core_busy": (after.load_core - before.load_core) / seconds,
    }


@contextlib.contextmanager
def _database(daemon: Daemon) -> Iterator[Database]:
    database = Database.open(daemon.database_url)
    try:
        yield database
    finally:
        database.close()


def _delivered(daemon: Daemon) -> int:
    """How many messages the store has as delivered."""
    delivered = messages.c.state == int(State.DELIVERED)
    with _database(daemon) as database, database.connect() as connection:
        query = select(func.count()).select_from(messages).where(delivered)
        return int(connection.execute(query).scalar_one())


def _rate(times: Sequence[float]) -> float:
    """How many a second arrived in the middle nine tenths; 0.0 where there are too few."""
    first, last = int(len(times) * _FROM), int(len(times) * _TO) - 1
    if last <= first or times[last] <= times[first]:
        return 0.0
    return (last - first) / (times[last] - times[first])
