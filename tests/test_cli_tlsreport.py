"""The operator's command for the security of sessions with receivers."""

from __future__ import annotations

from smtpeter.store import tlsresults
from smtpeter.store.database import Database
from smtpeter.store.tlsresults import TlsCount
from tests.commands import CommandCase

TODAY, BEFORE = "2023-11-14", "2023-11-13"
GOOD = TlsCount(TODAY, "mailbox.example", "sts", "mx.mailbox.example", "", 7, '["mode: enforce"]')
BAD = TlsCount(
    TODAY, "other.example", "no-policy-found", "mx.other.example", "starttls-not-supported", 2, "[]"
)
OLD = TlsCount(BEFORE, "old.example", "no-policy-found", "mx.old.example", "", 1, "[]")


class TlsReportTests(CommandCase):
    """`smtpeter tls-report`."""

    def setUp(self) -> None:
        super().setUp()
        self.state.mkdir()
        database = Database.open("sqlite:///smtpeter.db", self.state)
        self.addCleanup(database.close)
        change = tlsresults.add([GOOD, BAD, OLD])
        with database.begin() as connection:
            connection.execute(change.statement, change.rows)

    def test_table(self) -> None:
        """The sessions of today are shown, those that failed with the reason."""
        lines = [line.split() for line in self.text("tls-report").splitlines()]
        self.assertEqual(
            [
                ["DOMAIN", "POLICY", "HOST", "RESULT", "SESSIONS"],
                ["mailbox.example", "sts", "mx.mailbox.example", "secured", "7"],
                [
                    *("other.example", "no-policy-found", "mx.other.example"),
                    *("starttls-not-supported", "2"),
                ],
            ],
            lines,
        )

    def test_chosen(self) -> None:
        """Another day, or one domain, is shown where that is asked for."""
        self.assertIn("old.example", self.text("tls-report", BEFORE))
        text = self.text("tls-report", "--domain", "Other.example")
        self.assertIn("other.example", text)
        self.assertNotIn("mailbox.example", text)

    def test_none(self) -> None:
        """A day without sessions has none."""
        self.assertIn("No sessions are known of 2023-11-12", self.text("tls-report", "2023-11-12"))

    def test_document(self) -> None:
        """The document is a list of reports."""
        reports = self.document("tls-report")
        self.assertEqual(
            ["mailbox.example", "other.example"],
            [report["policies"][0]["policy"]["policy-domain"] for report in reports],
        )
        self.assertEqual("localhost", reports[0]["organization-name"])
        self.assertEqual([], self.document("tls-report", "2023-11-12"))

    def test_no_day(self) -> None:
        """What is no date is refused."""
        for text in ("yesterday", "2023-13-01", "20231114T"):
            self.assertIn("is no date", self.complaint("tls-report", text))
