"""Reports on the security of sessions."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.security.tlsreport import tls_reports
from smtpeter.store.tlsresults import TlsCount

DAY, DOMAIN, HOST = "2026-01-31", "mailbox.example", "mx.mailbox.example"
STS = json.dumps(["version: STSv1", "mode: enforce", "mx: *.mailbox.example", "max_age: 86400"])


def count(
    result: str = "", sessions: int = 1, kind: str = "sts", policy: str = STS, host: str = HOST
) -> TlsCount:
    """Sessions of the domain."""
    return TlsCount(DAY, DOMAIN, kind, host, result, sessions, policy)


class ReportTests(SynchronousTestCase):
    """The documents."""

    def test_report(self) -> None:
        """A report names us, the day, and each policy with what came of its sessions."""
        (report,) = tls_reports(
            [
                count(sessions=7),
                count("certificate-expired", 2),
                count("sts-policy-fetch-error", 1, host=""),
            ],
            DAY,
            "mail.shop.example",
        )
        self.assertEqual(
            {
                "organization-name": "mail.shop.example",
                "date-range": {
                    "start-datetime": "2026-01-31T00:00:00Z",
                    "end-datetime": "2026-01-31T23:59:59Z",
                },
                "contact-info": "postmaster@mail.shop.example",
                "report-id": "2026-01-31.mailbox.example@mail.shop.example",
                "policies": [
                    {
                        "policy": {
                            "policy-type": "sts",
                            "policy-domain": DOMAIN,
                            "policy-string": json.loads(STS),
                            "mx-host": ["*.mailbox.example"],
                        },
                        "summary": {
                            "total-successful-session-count": 7,
                            "total-failure-session-count": 3,
                        },
                        "failure-details": [
                            {
                                "result-type": "certificate-expired",
                                "receiving-mx-hostname": HOST,
                                "failed-session-count": 2,
                            },
                            {"result-type": "sts-policy-fetch-error", "failed-session-count": 1},
                        ],
                    }
                ],
            },
            report,
        )

    def test_kinds(self) -> None:
        """Sessions that were measured by other things are told apart."""
        record = json.dumps([f"_25._tcp.{HOST}. IN TLSA 3 1 1 abcd"])
        (report,) = tls_reports(
            [
                count(),
                count(policy=json.dumps(["mode: testing"])),
                count(kind="tlsa", policy=record),
                count(kind="no-policy-found", policy="[]"),
            ],
            DAY,
            "mail.shop.example",
        )
        policies = [each["policy"] for each in report["policies"]]
        self.assertEqual(
            ["sts", "sts", "tlsa", "no-policy-found"], [each["policy-type"] for each in policies]
        )
        self.assertEqual([HOST], policies[2]["mx-host"])
        self.assertEqual({"policy-type", "policy-domain"}, set(policies[3]))

    def test_domains(self) -> None:
        """Each domain has a report of its own."""
        other = TlsCount(DAY, "other.example", "no-policy-found", HOST, "", 1, "[]")
        reports = tls_reports([count(), other], DAY, "mail.shop.example")
        self.assertEqual(
            [[DOMAIN], ["other.example"]],
            [
                [policy["policy"]["policy-domain"] for policy in report["policies"]]
                for report in reports
            ],
        )
        self.assertEqual([], tls_reports([], DAY, "mail.shop.example"))
