from __future__ import annotations

from smtpeter.batches import Batch, QuotaTerms, placed
from smtpeter.message.content import Content
from smtpeter.message.reply import Refused
from smtpeter.quotas import EVERYBODY, HOUR, end_of
from smtpeter.store import accounts, quotas
from tests.intakes import MAIL
from tests.store.cases import NOW, DatabaseCase, message, parcel

DESK = "login:1"
NEXT_HOUR = end_of(HOUR, NOW)


class PlacedTests(DatabaseCase):
    """Batches of an account that may send two messages in an hour."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            self.noor = accounts.add_account(connection, "noor@shop.example", "hash", NOW).id
            quotas.write(connection, self.noor, EVERYBODY, {HOUR: 2})

    def placed(
        self, recipients: int, *, refuse: bool = False, deliver_by: float | None = None
    ) -> Batch | Refused:
        """What becomes of a batch with so many recipients, counted as when it is stored."""
        end = NOW + 86_400 if deliver_by is None else deliver_by
        of = parcel(account_id=self.noor, received=NOW, deliver_by=end)
        added = [message(f"r{number}@mailbox.example", NOW, of=of) for number in range(recipients)]
        terms = QuotaTerms(self.noor, DESK, refuse, own_end=deliver_by is not None)
        batch = Batch(added, Content.from_octets(MAIL))
        with self.database.begin() as connection:
            return placed(connection, batch, terms, None).answer

    def used(self) -> int:
        with self.database.connect() as connection:
            return sum(quotas.usage(connection, self.noor, NOW).values())

    def test_waits(self) -> None:
        """Each recipient counts; those that are over go later, and are tried for as long."""
        answer = self.placed(3)
        assert isinstance(answer, Batch)
        self.assertEqual([NOW, NOW, NEXT_HOUR], [round(each.due) for each in answer.added])
        self.assertEqual(NEXT_HOUR + 86_400, round(answer.parcel.deliver_by))
        self.assertEqual(3, self.used())

    def test_refused(self) -> None:
        """Where nothing waits all of it is refused until there is room, and nothing counts."""
        for deliver_by in (None, NOW + 60, NOW + 86_400):
            answer = self.placed(3, refuse=True, deliver_by=deliver_by)
            assert isinstance(answer, Refused)
            self.assertIn("used up until 2023-11-14T23:00:00Z", answer.reply.text)
            self.assertEqual(NEXT_HOUR - NOW, round(answer.retry_seconds or 0))
        self.assertEqual(0, self.used())

    def test_own_end(self) -> None:
        """What cannot go by the time that the client wants is due when it fails, and is free."""
        answer = self.placed(4, deliver_by=NOW + 60)
        assert isinstance(answer, Batch)
        self.assertEqual([NOW] * 2 + [NOW + 61] * 2, [each.due for each in answer.added])
        self.assertEqual(NOW + 60, answer.parcel.deliver_by)
        self.assertEqual(2, self.used())
