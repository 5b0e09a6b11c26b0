from __future__ import annotations

import random
from typing import Any

from attrs import evolve
from sqlalchemy import inspect

from smtpeter.store import dmarc, domains
from smtpeter.store.accounts import add_account
from smtpeter.store.dmarc import MOST, TWICE_SECONDS, DmarcReport
from smtpeter.store.tables import dmarc_reports
from tests.store.cases import NOW, DatabaseCase, OnPostgresql

REPORT = DmarcReport(
    organization="Provider",
    email="dmarc@provider.example",
    report_id="r-1",
    begin=NOW - 86_400,
    end=NOW,
    domain="shop.example",
    sending_domain="provider.example",
    messages=12,
    failed_spf=3,
    failed_dkim=2,
    document=b"x\x9c",
)


class DmarcTests(DatabaseCase):
    """Reports are kept."""

    def keep(self, report: DmarcReport, now: float = NOW) -> bool:
        with self.database.begin() as connection:
            return dmarc.keep(connection, report, now)

    def rows(self) -> list[Any]:
        with self.database.connect() as connection:
            return list(connection.execute(dmarc_reports.select().order_by(dmarc_reports.c.id)))

    def test_kept(self) -> None:
        """All of a report is kept."""
        self.assertTrue(self.keep(REPORT))
        [row] = self.rows()
        self.assertEqual(
            (NOW, 0, "Provider", "dmarc@provider.example", "r-1", NOW - 86_400, NOW),
            row[1:8],
        )
        self.assertEqual(("shop.example", "provider.example", 12, 3, 2), row[8:13])
        self.assertEqual(REPORT.document, row.document)

    def test_twice(self) -> None:
        """One that comes again is not kept again; its number alone makes it no other."""
        self.assertTrue(self.keep(REPORT))
        self.assertFalse(self.keep(REPORT, NOW + 60))
        self.assertTrue(self.keep(evolve(REPORT, sending_domain="other.example")))
        self.assertTrue(self.keep(evolve(REPORT, domain="club.example")))
        self.assertTrue(self.keep(REPORT, NOW + TWICE_SECONDS))
        self.assertEqual(4, len(self.rows()))

    def test_owner(self) -> None:
        """It belongs to who has the domain approved, or the closest one above it."""
        with self.database.begin() as connection:
            noor, kees = (
                add_account(connection, f"{name}@shop.example", "hash", NOW).id
                for name in ("noor", "kees")
            )
            for account, name, approved in (
                (noor, "shop.example", NOW),
                (kees, "news.shop.example", NOW),
                (kees, "club.example", None),
            ):
                domains.add_domain(
                    connection,
                    account,
                    name,
                    NOW,
                    approved=approved,
                    tracking_host=f"clicks.{name}",
                    bounce_host=f"bounces.{name}",
                )
        names = ("shop.example", "a.news.shop.example", "a.shop.example", "club.example", "x", "")
        for name in (*names, "a." * 400, "shop.example\0"):
            self.keep(evolve(REPORT, domain=name))
        self.assertEqual([noor, kees, noor, 0, 0, 0, 0, 0], [row.account_id for row in self.rows()])

    def test_anything(self) -> None:
        """What strangers write in a report is no reason not to keep it."""
        odd = evolve(REPORT, organization="\0\ud800", messages=2**40, failed_spf=2**40)
        self.assertTrue(self.keep(odd))
        [row] = self.rows()
        self.assertEqual(("\ufffd\ufffd", MOST, MOST), (row[3], row.messages, row.failed_spf))

    def test_indexed(self) -> None:
        """One that comes again is found by an index, which takes whatever strangers write."""
        with self.database.connect() as connection:
            indexes = inspect(connection).get_indexes("dmarc_reports")
        columns = ["report_id", "sending_domain", "domain"]
        self.assertIn(columns, [each["column_names"] for each in indexes])
        chance = random.Random(0)  # noqa: S311 - no secret is made of it
        one, two, three = (
            "".join(chr(chance.randrange(0x10000, 0x20000)) for _ in range(900)) for _ in range(3)
        )
        long = evolve(REPORT, report_id=one, sending_domain=two, domain=three)
        self.assertTrue(self.keep(long))
        self.assertFalse(self.keep(long))
        self.assertTrue(self.keep(evolve(long, report_id=two)))


class DmarcOnPostgresqlTests(OnPostgresql, DmarcTests):
    """The same on PostgreSQL."""
