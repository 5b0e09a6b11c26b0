from __future__ import annotations

import ssl
import tempfile
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.dnsrecords import TLSA
from tests.certificates import Issued, issued, ordinary, ordinary_authority
from tests.scenarios.daemon import Daemon
from tests.scenarios.mails import SENDER, mail
from tests.scenarios.programs import require_root, wait_for
from tests.scenarios.receiver import Receiver
from tests.scenarios.validating import policy_server, validating_server

WEB = "127.0.0.43"
POLICY = "version: STSv1\nmode: enforce\nmx: mx.{domain}\nmax_age: 86400\n"
# Domains whose servers have the right certificate, and others.
GOOD, WRONG = "sts.example", "sts-wrong.example"
PROVED, DISPROVED = "dane.example", "dane-wrong.example"


def context(own: Issued) -> ssl.SSLContext:
    """The settings of a server that presents a certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(own.pem() + own.key_pem())
        file.flush()
        made.load_cert_chain(file.name)
    return made


class TlsOutwardsTests(SynchronousTestCase):
    """Domains that demand verified TLS, all of them with the same server."""

    def setUp(self) -> None:
        require_root()  # policies come from port 443
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.ca_file = Path(directory.name) / "authority.pem"
        self.ca_file.write_bytes(ordinary_authority().pem())
        self.mail_host = ordinary(f"mx.{GOOD}")

    def records(self) -> dict[tuple[str, int], list[Any]]:
        """The whole DNS."""
        found: dict[tuple[str, int], list[Any]] = {}
        for domain in (GOOD, WRONG, PROVED, DISPROVED):
            found[domain, dns.MX] = [dns.Record_MX(10, f"mx.{domain}", 60)]
            found[f"mx.{domain}", dns.A] = [dns.Record_A("127.0.0.1", 60)]
        for domain in (GOOD, WRONG):
            found[f"_mta-sts.{domain}", dns.TXT] = [dns.Record_TXT(b"v=STSv1; id=a", ttl=60)]
            found[f"mta-sts.{domain}", dns.A] = [dns.Record_A(WEB, 60)]
        for domain, own in ((PROVED, self.mail_host), (DISPROVED, issued("other.example"))):
            data = b"\3\1\1" + sha256(own.public_key).digest()
            found[f"_{self.port}._tcp.mx.{domain}", TLSA] = [dns.UnknownRecord(data, 60)]
        return found

    def test_demands(self) -> None:
        """Servers that prove what the domain demands get its mail, and others do not."""
        names = [f"mta-sts.{each}" for each in (GOOD, WRONG)]
        policies = {name: POLICY.format(domain=name.removeprefix("mta-sts.")) for name in names}
        with ExitStack() as stack:
            receiver = stack.enter_context(Receiver(context=context(self.mail_host)))
            self.port = receiver.port
            insecure = frozenset([GOOD, WRONG])
            resolver = stack.enter_context(validating_server(self.records(), insecure))
            asked = stack.enter_context(
                policy_server((WEB, 443), context(ordinary(*names)), policies)
            )
            daemon = stack.enter_context(Daemon(self.settings(resolver)))
            daemon.account()
            with daemon.client(daemon.login()) as client:
                for domain in (GOOD, WRONG, PROVED, DISPROVED):
                    client.sendmail(SENDER, [f"kees@{domain}"], mail())
            receiver.wait_for(2)
            waiting = wait_for("two refusals", lambda: self.waiting(daemon))
            self.assertEqual(
                {f"kees@{each}" for each in (GOOD, PROVED)},
                {address for each in receiver.received for address in each.recipients},
            )
            self.assertTrue(all(each.tls for each in receiver.received))
            self.assertIn("is one of another host", waiting[WRONG])
            self.assertIn(f"the MTA-STS policy of {WRONG}", waiting[WRONG])
            self.assertIn(f"the TLSA records of mx.{DISPROVED}", waiting[DISPROVED])
            self.assertEqual(sorted(names), sorted(asked))
            daemon.terminate()
            self.assert_counted(daemon.asked("tls-report"))

    def settings(self, resolver: int) -> dict[str, Any]:
        return {
            "delivery.mode": "mx",
            "delivery.port": self.port,
            "delivery.resolvers": [f"127.0.0.1:{resolver}"],
            "delivery.dnssec": True,
            "delivery.ca_file": str(self.ca_file),
            "delivery.retry": ["1h"],
            "http.allow_private_addresses": True,
        }

    def waiting(self, daemon: Daemon) -> dict[str, str]:
        """The last replies of what waits, by domain, when both were tried; nothing before."""
        found = {
            each["receiver"].removeprefix("mx."): each["last_reply"]
            for each in daemon.asked("queue")
            if each["last_reply"]
        }
        return found if set(found) == {WRONG, DISPROVED} else {}

    def assert_counted(self, reports: list[dict[str, Any]]) -> None:
        """Results are written at the stop at the latest."""
        told = {}
        for report in reports:
            (each,) = report["policies"]
            failures = [failure["result-type"] for failure in each["failure-details"]]
            successes = each["summary"]["total-successful-session-count"]
            told[each["policy"]["policy-domain"]] = (
                each["policy"]["policy-type"],
                successes,
                failures,
            )
        self.assertEqual(
            {
                GOOD: ("sts", 1, []),
                WRONG: ("sts", 0, ["certificate-host-mismatch"]),
                PROVED: ("tlsa", 1, []),
                DISPROVED: ("tlsa", 0, ["certificate-not-trusted"]),
            },
            told,
        )
