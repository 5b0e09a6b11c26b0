from __future__ import annotations

from attrs import evolve

from smtpeter.message.content import BLOCK_OCTETS, Content
from smtpeter.store import arrivals, domains, events, retention
from smtpeter.store.arrivals import Concluded, Conclusion, Purpose
from smtpeter.store.dmarc import DmarcReport
from smtpeter.store.events import Event
from smtpeter.store.messages import Message, load_content
from smtpeter.store.suppressions import Suppression, suppressed
from smtpeter.store.tables import dmarc_reports
from tests.arrivals.house import (
    AWAY,
    BOUNCE,
    CAME,
    RECIPIENT,
    arrival,
    content_of,
    original,
    put_account,
    put_arrival,
    put_delivered,
)
from tests.store.cases import NOW, DatabaseCase, OnPostgresql, message

AWAY_CONTENT = content_of(AWAY)


class ArrivalsTests(DatabaseCase):
    """What came is stored, read, and ended once."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            self.account = put_account(connection)
        self.original = original(account_id=self.account)
        with self.database.begin() as connection:
            put_delivered(connection, self.original)

    def put(
        self, about: Message | None = None, content: Content = AWAY_CONTENT, sender: str = ""
    ) -> arrivals.Arrival:
        came = arrival(about or self.original, sender=sender, octets=content.octets)
        with self.database.begin() as connection:
            put_arrival(connection, came, content)
        return came

    def opened(self, key: int) -> arrivals.Opened | None:
        with self.database.connect() as connection:
            return next(iter(arrivals.opened(connection, [key])), None)

    def conclude(self, key: int, conclusion: Conclusion, forwarded: Message | None = None) -> bool:
        with self.database.begin() as connection:
            concluded = Concluded(key, conclusion, forwarded)
            return key in arrivals.conclude(connection, [concluded], NOW + 90)

    def keys(self, limit: int = 10) -> list[int]:
        with self.database.connect() as connection:
            return [key for key, _ in arrivals.unfinished(connection, limit)]

    def test_opened(self) -> None:
        """What is stored is read back, with the message that it is about."""
        came = self.put(sender=RECIPIENT)
        opened = self.opened(came.parcel.key)
        assert opened is not None
        self.assertEqual(came, opened.arrival)
        self.assertEqual(bytes(AWAY_CONTENT), bytes(opened.beginning or b""))
        assert opened.original is not None
        self.assertEqual(self.original.id, opened.original.id)
        self.assertEqual(("spring", "nl"), opened.original.parcel.features.tags)
        self.assertEqual(1, opened.original.attempts)

    def test_some(self) -> None:
        """Some are opened together, in their order, each with its own message; so they end."""
        other = original(account_id=self.account)
        with self.database.begin() as connection:
            put_delivered(connection, other)
        came = [self.put(about) for about in (self.original, other, original(), other)]
        keys = [each.parcel.key for each in came]
        self.conclude(keys[3], Conclusion("response"))
        with self.database.connect() as connection:
            found = arrivals.opened(connection, keys[::-1])
        self.assertEqual(came[:3], [each.arrival for each in found])
        self.assertEqual(
            [self.original.id, other.id, None],
            [each.original and each.original.id for each in found],
        )
        ends = [Concluded(key, Conclusion("response")) for key in keys]
        with self.database.begin() as connection:
            self.assertEqual(set(keys[:3]), arrivals.conclude(connection, ends, NOW))
            self.assertEqual(set(), arrivals.conclude(connection, [], NOW))
        self.assertEqual([], self.keys())

    def test_first_known(self) -> None:
        """Of several ids the first counts that there is."""
        other = original(account_id=self.account)
        with self.database.begin() as connection:
            put_delivered(connection, other)
            for ids in (["0" * 16, other.id, self.original.id], [other.id]):
                found = arrivals.first_known(connection, ids)
                assert found is not None
                self.assertEqual(other.id, found.id)
            self.assertIsNone(arrivals.first_known(connection, ["0" * 16]))
            self.assertIsNone(arrivals.first_known(connection, []))

    def test_unknown(self) -> None:
        """A message that is not there is none."""
        opened = self.opened(self.put(message(RECIPIENT)).parcel.key)
        assert opened is not None
        self.assertIsNone(opened.original)
        self.assertIsNone(self.opened(17))

    def test_unfinished(self) -> None:
        """What was not dealt with is given in its order, with its size, so many at most."""
        came = [self.put().parcel.key for _ in range(3)]
        self.assertEqual(sorted(came), self.keys())
        self.assertEqual(sorted(came)[:2], self.keys(2))
        self.conclude(came[0], Conclusion("response"))
        self.assertEqual(came[1:], self.keys())
        with self.database.connect() as connection:
            octets = {size for _, size in arrivals.unfinished(connection, 10)}
        self.assertEqual({AWAY_CONTENT.octets}, octets)

    def test_beginning(self) -> None:
        """Of the largest no more is read than is looked at."""
        self.patch(arrivals, "BEGINNING_OCTETS", 2 * BLOCK_OCTETS + 100)
        large = Content.from_octets(b"From: a@b.example\r\n\r\n" + b"x" * 5 * BLOCK_OCTETS)
        opened = self.opened(self.put(content=large).parcel.key)
        assert opened is not None
        assert opened.beginning is not None
        self.assertEqual(2 * BLOCK_OCTETS + 100, opened.beginning.octets)
        self.assertTrue(bytes(large).startswith(bytes(opened.beginning)))
        self.assertEqual(large.header, opened.beginning.header)

    def test_conclude(self) -> None:
        """All that follows is written together."""
        came = self.put()
        happened = Event(
            CAME, "bounce", self.account, self.original.id, "a@b.example", RECIPIENT, "", 0, {}
        )
        forwarded = message("noor@shop.example", of=came.parcel, notify=frozenset({"NEVER"}))
        gone = Suppression(RECIPIENT, "mailbox", "550 gone\0", self.original.id, CAME, None)
        report = DmarcReport("P", "e", "r", 1, 2, "d.example", "p.example", 3, 2, 1, b"<xml/>")
        conclusion = Conclusion("report", "", (happened,), (self.account, gone), report)
        self.assertTrue(self.conclude(came.parcel.key, conclusion, forwarded))
        with self.database.connect() as connection:
            self.assertEqual([happened], events.events_of(connection, self.original.id))
            found = suppressed(connection, self.account, [RECIPIENT], NOW)
            self.assertEqual(
                {RECIPIENT: "550 gone\ufffd"},
                {address: each.description for address, each in found.items()},
            )
            sent_on = arrivals.first_known(connection, [forwarded.id])
            self.assertEqual(1, len(connection.execute(dmarc_reports.select()).all()))
            [listed] = arrivals.latest(connection, 10)
        assert sent_on is not None
        self.assertEqual(
            (came.parcel.key, frozenset({"NEVER"})), (sent_on.parcel.key, sent_on.recipient.notify)
        )
        self.assertEqual(("report", NOW + 90), (listed.result, listed.finished))
        self.assertEqual(self.original.id, listed.arrival.message)

    def test_once(self) -> None:
        """What was ended is not ended again, and nothing of it happens twice."""
        came = self.put()
        happened = Event(CAME, "response", self.account, self.original.id, "", RECIPIENT, "", 0, {})
        conclusion = Conclusion("response", happened=(happened,))
        self.assertTrue(self.conclude(came.parcel.key, conclusion))
        self.assertFalse(self.conclude(came.parcel.key, conclusion, message(of=came.parcel)))
        self.assertIsNone(self.opened(came.parcel.key))
        with self.database.connect() as connection:
            self.assertEqual(1, len(events.events_of(connection, self.original.id)))

    def test_found_later(self) -> None:
        """A message that was found out is noted."""
        came = evolve(arrival(purpose=Purpose.POSTMASTER), recipient="abuse@relay.example")
        with self.database.begin() as connection:
            put_arrival(connection, came, AWAY_CONTENT)
        self.conclude(came.parcel.key, Conclusion("complaint", self.original.id))
        with self.database.connect() as connection:
            listed = arrivals.one(connection, came.parcel.key)
        assert listed is not None
        self.assertEqual(self.original.id, listed.arrival.message)

    def test_listed(self) -> None:
        """The newest come first."""
        came = [self.put() for _ in range(3)]
        with self.database.connect() as connection:
            listed = arrivals.latest(connection, 2)
            self.assertIsNone(arrivals.one(connection, 17))
        self.assertEqual(came[:0:-1], [each.arrival for each in listed])
        self.assertEqual({("", None)}, {(each.result, each.finished) for each in listed})
        self.assertEqual(BOUNCE, listed[0].arrival.recipient)

    def test_retention(self) -> None:
        """The content stays until it was dealt with, and until it was sent on."""

        def drop() -> bool:
            with self.database.begin() as connection:
                retention.drop_contents(connection, NOW + 1000, came.parcel.key - 1)
                return load_content(connection, came.parcel.key) is None

        came = self.put()
        self.assertFalse(drop())
        self.conclude(came.parcel.key, Conclusion("response"), message(of=came.parcel))
        self.assertFalse(drop())
        other = came = self.put()
        self.conclude(other.parcel.key, Conclusion("response"))
        self.assertTrue(drop())

    def test_bounce_hosts(self) -> None:
        """Bounces come to the hosts of approved sender domains."""
        with self.database.begin() as connection:
            for name, approved in (("shop.example", NOW), ("club.example", None)):
                domains.add_domain(
                    connection,
                    self.account,
                    name,
                    NOW,
                    approved=approved,
                    tracking_host=f"clicks.{name}",
                    bounce_host=f"bounces.{name}",
                )
            found = {
                host: arrivals.is_bounce_host(connection, host)
                for host in ("bounces.shop.example", "bounces.club.example", "shop.example")
            }
        self.assertEqual([True, False, False], list(found.values()))


class ArrivalsOnPostgresqlTests(OnPostgresql, ArrivalsTests):
    """The same on PostgreSQL."""
