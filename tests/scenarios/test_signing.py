from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.dkimkeys import Algorithm, DkimKey
from smtpeter.store import accounts, dkimkeys, domains
from smtpeter.store.database import Database
from tests.corpus.awkward import DOMAIN, awkward_mails
from tests.scenarios.daemon import ACCOUNT, Daemon
from tests.scenarios.names import NameServer
from tests.scenarios.opendkim import results
from tests.scenarios.receiver import Received, Receiver
from tests.verifying import verdicts

IDN = "xn--bcher-kva.example"
CLUB = "club.example"
OTHER = f"kees@{CLUB}"
RECORDS = (
    'A("mx.mailbox.example", "127.0.0.1")',
    'MX("mailbox.example", 10, "mx.mailbox.example")',
)
FEATURES = ("inlinecss", "trackclicks", "trackopens", "trackbounces", "preventscam", "images")
STRING_CHARACTERS = 200


def recipient(number: int) -> str:
    return f"kees{number}@mailbox.example"


def selectors(name: str) -> tuple[str, ...]:
    """Those of the keys that sign a mail of the corpus."""
    return ("zero", "always") if name.startswith("idn") else ("zero", "ed", "always")


def published(daemon: Daemon) -> dict[str, str]:
    """What the DNS should have of all keys."""
    return {each["hostname"]: each["record"] for each in daemon.asked("dkim", "list")}


def in_zone(record: Mapping[str, Any]) -> str:
    """A record as the name server takes it."""
    match record["type"]:
        case "MX":
            preference, host = record["value"].split()
            return f'MX("{record["name"]}", {preference}, "{host}")'
        case "TXT":
            text = record["value"]
            starts = range(0, len(text), STRING_CHARACTERS)
            strings = (f'b"{text[start : start + STRING_CHARACTERS]}"' for start in starts)
            return f'TXT("{record["name"]}", {", ".join(strings)})'
        case kind:
            return f'{kind}("{record["name"]}", "{record["value"]}")'


class SigningTests(SynchronousTestCase):
    """Signatures of the real daemon, on their way to a receiver."""

    def add_keys(self, daemon: Daemon) -> None:
        """Sender domains, a key of Ed25519 besides, and one for all mail."""
        daemon.account()
        database = Database.open("sqlite:///smtpeter.db", daemon.state_dir)
        with closing(database), database.begin() as connection:
            account = accounts.existing_account(connection, ACCOUNT).id
            for name in (DOMAIN, IDN, CLUB):
                domain = domains.add_domain(
                    connection,
                    account,
                    name,
                    1.0,
                    approved=1.0,
                    tracking_host=f"clicks.{name}",
                    bounce_host=f"bounces.{name}",
                )
                if name != IDN:  # there the daemon makes them, when mail comes
                    dkimkeys.add_own_keys(connection, domain, dkimkeys.new_keys(), 1.0)
            for name, selector, kind, always in (
                (DOMAIN, "ed", Algorithm.ED25519, False),
                (CLUB, "always", Algorithm.RSA, True),
            ):
                key = DkimKey.generate(kind)
                dkimkeys.put_custom_key(
                    connection, account, name, selector, key, 1.0, always=always
                )

    def send_all(self, daemon: Daemon, mails: Mapping[str, bytes]) -> None:
        with daemon.client(daemon.login(*(f"{each}=on" for each in FEATURES))) as client:
            for number, octets in enumerate(mails.values()):
                client.sendmail(ACCOUNT, [recipient(number)], octets)

    def send_strange(self, daemon: Daemon) -> None:
        """One mail of another account, then one from another domain."""
        mail = b"From: noor@%b\r\nSubject: hello\r\n\r\nHello\r\n"
        daemon.account(email=OTHER)
        for owner, domain in ((OTHER, DOMAIN), (ACCOUNT, "other.example")):
            with daemon.client(daemon.login(email=owner)) as client:
                client.sendmail(owner, [recipient(0)], mail % domain.encode())

    def assert_signed(
        self, daemon: Daemon, mails: Mapping[str, bytes], received: list[Received]
    ) -> None:
        """See that each mail came once, and that each of its signatures holds."""
        by_recipient = {address: each for each in received for address in each.recipients}
        self.assertEqual(len(mails), len(received))
        arrived = {
            name: by_recipient[recipient(number)].content for number, name in enumerate(mails)
        }
        records = published(daemon)
        for name, octets in arrived.items():
            count = len(selectors(name))
            self.assertEqual([True] * count, verdicts(octets, count, records), name)
        found = results(list(arrived.values()), records)
        for name, each in zip(arrived, found, strict=True):
            ours = {selector: each.get(selector) for selector in selectors(name)}
            self.assertEqual(dict.fromkeys(selectors(name), "pass"), ours, name)

    def test_awkward_mails(self) -> None:
        """
        Whatever a mail is like, and with everything done to it, its signatures hold.

        Mail of another account goes without; mail from another domain has one, for all mail.
        """
        mails = awkward_mails()
        with Receiver() as receiver, NameServer("mailbox.example", *RECORDS) as names:
            settings = {
                "delivery.mode": "mx",
                "delivery.port": receiver.port,
                "delivery.resolvers": [f"127.0.0.1:{names.port}"],
                "delivery.retry": ["1s"],
            }
            with Daemon(settings) as daemon:
                self.add_keys(daemon)
                self.send_all(daemon, mails)
                received = receiver.wait_for(len(mails))
                self.assert_signed(daemon, mails, received)
                self.send_strange(daemon)
                strange = receiver.wait_for(len(mails) + 2)[len(mails) :]
                contents = {each.sender: each.content for each in strange}
                self.assertNotIn(b"DKIM-Signature:", contents[OTHER])
                self.assertEqual(1, contents[ACCOUNT].count(b"DKIM-Signature:"))
                self.assertIn(b"s=always;", contents[ACCOUNT])
                self.assertNotIn("PRIVATE", daemon.log())
                self.assertNotIn("stage dkim failed", daemon.log())


class AdviceTests(SynchronousTestCase):
    """What `smtpeter dns` advises, published on a real name server."""

    def test_advice(self) -> None:
        """Who publishes what is advised has done enough, and may change keys."""
        own = {
            "hostname": "mail.relay.example",
            "tracking.host": "clicks.relay.example",
            "delivery.bind": "127.0.0.1",
        }
        hosts = ('A("clicks.relay.example", "192.0.2.80")',)
        with Daemon(own) as daemon:
            daemon.account()
            daemon.asked("domain", "add", ACCOUNT, DOMAIN, "--unapproved", "--policy", "reject")
            with NameServer("example", *hosts) as names:
                daemon.configure(own | {"delivery.resolvers": [f"127.0.0.1:{names.port}"]})
                records = daemon.asked("dns", DOMAIN)
                self.assertEqual({"missing"}, {each["status"] for each in records})
            with NameServer("example", *hosts, *map(in_zone, records)) as names:
                daemon.configure(own | {"delivery.resolvers": [f"127.0.0.1:{names.port}"]})
                for each in daemon.asked("dns", DOMAIN):
                    self.assertEqual(("ok", ""), (each["status"], each["problem"]), each)
                checked = daemon.asked("domain", "check", DOMAIN)
                self.assertTrue(checked["approved"])
                self.assertEqual({"ok"}, set(checked["status"].values()))
                self.assertEqual("one", daemon.asked("dkim", "rotate", DOMAIN)["selector"])
