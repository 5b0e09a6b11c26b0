"""Twenty thousand messages over an internet that is in part sick."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, pairwise, zip_longest
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content
from smtpeter.message.envelope import Recipient, Trace
from smtpeter.message.features import Features
from smtpeter.store import accounts, messages
from smtpeter.store.database import Database
from smtpeter.store.keys import message_id
from smtpeter.store.messages import Message, Parcel
from tests.scenarios.daemon import Daemon
from tests.scenarios.internet import (
    DEAD,
    FIRST_DEAD,
    NULL_MX,
    FewConnections,
    Limited,
    LimitedByWindow,
)
from tests.scenarios.programs import ROOT, free_ports, wait_for

CONTENT = Content.from_octets(
    b"From: noor@shop.example\r\nSubject: x\r\nDate: Sun, 29 Nov 2026 12:00:00 +0000\r\n"
    b"Message-ID: <1@shop.example>\r\n\r\nIt is on its way.\r\n"
)
HEALTHY = [f"healthy{number}" for number in range(4)]
SICK = {
    "greylisting": 1000,
    "fewmessages": 1500,
    "fewconnections": 550,
    "limited": 1500,
    "window": 750,
    "tarpit": 30,
    "selfsigned": 500,
    FIRST_DEAD: 500,
    "tls-refused": 50,
    "tls-closed": 50,
    "tls-babble": 50,
    "tls-ciphers": 50,
    "tls-hanging": 50,
}
ALONE = 400  # messages to each healthy receiver while there are no others
TOGETHER = 2500
IN_ALL = 20_000
# What a recipient's name begins with, and the status with which mail to it fails; "" for none.
MIXED = {"unknown": "5.1.1", "spam": "5.7.1", "full": "5.2.2", "closed": "5.2.1", "later": ""}
EACH_MIXED = 30
DEAD_MESSAGES = 50
DEAD_SECONDS = 20.0
SECONDS = 240.0


@contextmanager
def internet(directory: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """
    The internet, for the length of a `with` block.

    Gives the settings to reach it; and what its exchangers tell, filled in at the end.
    """
    port, dns_port = free_ports(2)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.scenarios.internet", directory, str(port), str(dns_port)],
        cwd=ROOT,
    )
    settings = {
        "hostname": "mail.shop.example",
        "delivery.mode": "mx",
        "delivery.port": port,
        "delivery.resolvers": [f"127.0.0.1:{dns_port}"],
        "delivery.retry": ["1s", "2s", "4s", "8s"],
    }
    told: dict[str, Any] = {}
    try:
        yield settings, told
    finally:
        process.terminate()
        process.wait(60)
        for file in directory.glob("*.json"):
            told[file.stem] = json.loads(file.read_text())


def recipients(counts: Mapping[str, int]) -> list[str]:
    """So many recipients in each domain, those of all domains mixed."""
    each = [[f"{number}@{name}.example" for number in range(counts[name])] for name in counts]
    return [one for one in chain.from_iterable(zip_longest(*each)) if one is not None]


def put(daemon: Daemon, addresses: Sequence[str], lifetime_seconds: float = 3600.0) -> None:
    """Have messages in the store before the daemon starts."""
    database = Database.open("sqlite:///smtpeter.db", daemon.state_dir)
    now = time.time()
    with database.begin() as connection:
        known = accounts.accounts(connection)
        account = (
            known[0]
            if known
            else accounts.add_account(connection, "noor@shop.example", "no hash", now)
        )
        parcel = Parcel(
            key=messages.greatest_key(connection) + 1,
            account_id=account.id,
            origin="smtp",
            login="noor",
            sender=None,
            ret=None,
            envid=None,
            eightbit=False,
            smtputf8=False,
            features=Features(),
            trace=Trace("desk", "127.0.0.1", "ESMTPSA"),
            template_id=0,
            received=now,
            deliver_by=now + lifetime_seconds,
            octets=CONTENT.octets,
        )
        added = [
            Message(
                id=message_id(),
                parcel=parcel,
                recipient=Recipient(Mailbox.parse(each), each),
                destination=each.partition("@")[2],
                attempts=0,
                due=now,
            )
            for each in addresses
        ]
        for change in messages.additions(parcel, CONTENT, added):
            connection.execute(change.statement, change.rows)
    database.close()


def speed(taken: Sequence[Sequence[Any]]) -> float:
    """Messages a second, without the start and the end."""
    times: list[float] = sorted(when for when, _ in taken)
    first, last = len(times) // 10, len(times) * 9 // 10
    return (last - first) / (times[last] - times[first])


def settled_part(attempts: Sequence[Sequence[Any]]) -> tuple[float, float, list[bool]]:
    """The second half without the very end: its begin, its end, and which were refused."""
    begin, end = attempts[len(attempts) // 2][0], attempts[len(attempts) * 95 // 100][0]
    return begin, end, [refused for when, refused in attempts if begin <= when < end]


def average(steps: Sequence[Sequence[float]], begin: float, end: float) -> float:
    """The mean, over a time, of what had a value from each moment on."""
    area = 0.0
    for (start, value), (stop, _) in pairwise([*steps, (end, 0)]):
        area += value * max(0.0, min(stop, end) - max(start, begin))
    return area / (end - begin)


class Ends:
    """What became of all messages."""

    def __init__(self, daemon: Daemon) -> None:
        self._engine = create_engine(f"sqlite:///{daemon.state_dir}/smtpeter.db")

    def waiting(self) -> int:
        with self._engine.connect() as connection:
            count = connection.execute(text("SELECT count(*) FROM messages WHERE state = 0"))
            return int(count.scalar_one())

    def states(self) -> Counter[tuple[str, str]]:
        """How many messages ended in which way, by destination."""
        query = text("SELECT destination, state, count(*) FROM messages GROUP BY 1, 2")
        names = {1: "delivered", 2: "failed"}
        with self._engine.connect() as connection:
            return Counter(
                {
                    (name.removesuffix(".example"), names.get(state, str(state))): count
                    for name, state, count in connection.execute(query)
                }
            )

    def failures(self) -> Counter[tuple[str, str, str, str]]:
        """How many failures there were, by domain, kind of recipient, type and status."""
        query = text("SELECT recipient, details FROM events WHERE kind = 'failure'")
        found: Counter[tuple[str, str, str, str]] = Counter()
        with self._engine.connect() as connection:
            for recipient, written in connection.execute(query):
                local, _, domain = recipient.partition("@")
                details = json.loads(written)
                kind = local.partition("-")[0] if "-" in local else ""
                name = domain.removesuffix(".example")
                found[name, kind, details["type"], details["status"]] += 1
        return found


class InternetTests(SynchronousTestCase):
    """Deliveries to a dozen and more receivers at full speed."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="internet-")
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)

    def run_with(self, *batches: tuple[Sequence[str], float]) -> tuple[dict[str, Any], Ends]:
        """Let messages be delivered, or not; what the internet and the store tell of it."""
        for old in self.directory.glob("*.json"):
            old.unlink()
        with internet(self.directory) as (settings, told):
            daemon = Daemon(settings)
            daemon.state_dir.mkdir(mode=0o700)
            for addresses, lifetime_seconds in batches:
                put(daemon, addresses, lifetime_seconds)
            self.enterContext(daemon)
            ends = Ends(daemon)
            wait_for("the last message", lambda: ends.waiting() == 0, SECONDS)
        return told, ends

    def test_twenty_thousand(self) -> None:
        """
        Every message ends as it should, receivers get what they take, and the sick do not hold
        up the healthy.
        """
        alone, _ = self.run_with((recipients(dict.fromkeys(HEALTHY, ALONE)), 3600.0))
        mixed = [f"{kind}-{n}@mixed.example" for kind in MIXED for n in range(EACH_MIXED)]
        drops = [f"{kind}-{n}@dropping.example" for kind in ("inside", "after") for n in range(75)]
        dead = recipients({DEAD: DEAD_MESSAGES})
        counts = {**dict.fromkeys(HEALTHY, TOGETHER), **SICK}
        rest = IN_ALL - sum(counts.values()) - len(mixed) - len(drops) - len(dead)
        counts[NULL_MX] = rest
        told, ends = self.run_with(
            ([*recipients(counts), *mixed, *drops], 3600.0), (dead, DEAD_SECONDS)
        )
        self.assert_ends(ends, counts)
        self.assert_receivers(told, counts)
        self.assert_limits(told)
        for name in HEALTHY:
            before, now = speed(alone[name]["taken"]), speed(told[name]["taken"])
            self.assertGreater(now, 0.85 * before, f"{name}: {before:.0f}/s alone, {now:.0f}/s")

    def assert_ends(self, ends: Ends, counts: Mapping[str, int]) -> None:
        """Every message is delivered, or has failed for the right reason."""
        expected = Counter({(name, "delivered"): count for name, count in counts.items()})
        del expected[NULL_MX, "delivered"]
        expected |= Counter(
            {
                (NULL_MX, "failed"): counts[NULL_MX],
                (DEAD, "failed"): DEAD_MESSAGES,
                ("dropping", "delivered"): 150,
                ("mixed", "failed"): EACH_MIXED * (len(MIXED) - 1),
                ("mixed", "delivered"): EACH_MIXED,
            }
        )
        self.assertEqual(expected, ends.states())
        reasons = Counter(
            {("mixed", kind, "error", status): EACH_MIXED for kind, status in MIXED.items()}
        )
        del reasons["mixed", "later", "error", ""]
        reasons[NULL_MX, "", "error", "5.1.10"] = counts[NULL_MX]
        found = ends.failures()
        timeouts = sum(count for (name, _, kind, _), count in found.items() if name == DEAD)
        self.assertEqual(DEAD_MESSAGES, timeouts)
        self.assertEqual({"timeout"}, {kind for (name, _, kind, _) in found if name == DEAD})
        self.assertEqual(reasons, Counter({key: n for key, n in found.items() if key[0] != DEAD}))

    def assert_receivers(self, told: Mapping[str, Any], counts: Mapping[str, int]) -> None:
        """Everybody got each message once, in the way that it could take it."""
        for name, count in counts.items():
            if name in (NULL_MX, FIRST_DEAD):
                continue
            taken = [recipient for _, recipient in told[name]["taken"]]
            self.assertEqual(count, len(taken), name)
            self.assertEqual(count, len(set(taken)), name)
        self.assertEqual(counts[FIRST_DEAD], len(told["secondary"]["taken"]))
        self.assertGreater(told["selfsigned"]["in_tls"], 0)
        for name in told:
            if name.startswith("tls-"):
                self.assertEqual(0, told[name]["in_tls"], name)

    def assert_limits(self, told: Mapping[str, Any]) -> None:
        """Those with limits get what they take, and refuse hardly anything once that is known."""
        for name, rate in (("limited", Limited.rate), ("window", LimitedByWindow.rate)):
            begin, end, settled = settled_part(told[name]["attempts"])
            part = (len(settled) - sum(settled)) / (rate * (end - begin))
            self.assertGreater(part, 0.9, name)
        begin, end, _ = settled_part(told["fewconnections"]["attempts"])
        used = average(told["fewconnections"]["connections"], begin, end)
        self.assertGreater(used, 0.9 * FewConnections.connections)
        for name in ("limited", "window", "fewconnections", "fewmessages"):
            _, _, settled = settled_part(told[name]["attempts"])
            self.assertLess(sum(settled) / len(settled), 0.02, name)
