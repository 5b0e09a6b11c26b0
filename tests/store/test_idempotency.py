from sqlalchemy.exc import IntegrityError

from smtpeter.store import idempotency
from smtpeter.store.idempotency import KEPT_SECONDS, Answer, Claim
from tests.store.cases import NOW, DatabaseCase, OnPostgresql

CLAIM = Claim(1, "order-5512", "f" * 64)
IDS = ("7hQx2LmPzR9aTc04", "9aKd0VtYwE3nSb51")


class IdempotencyTests(DatabaseCase):
    """Answers that are given again."""

    def keep(self, claim: Claim = CLAIM, now: float = NOW) -> None:
        """Remember an answer."""
        change = idempotency.keep(claim, IDS, now)
        with self.database.begin() as connection:
            connection.execute(change.statement, change.rows)

    def answer(self, claim: Claim = CLAIM, now: float = NOW) -> Answer | None:
        """What is remembered."""
        with self.database.connect() as connection:
            return idempotency.answer(connection, claim, now)

    def forget(self, now: float) -> None:
        """Remove what is old."""
        with self.database.begin() as connection:
            idempotency.forget_old(connection, now)

    def test_given_again(self) -> None:
        """An answer is given again for a day, with the ids in their order."""
        self.keep()
        self.assertEqual(Answer(CLAIM.fingerprint, IDS), self.answer())
        self.assertIsNotNone(self.answer(now=NOW + KEPT_SECONDS - 1))
        self.assertIsNone(self.answer(now=NOW + KEPT_SECONDS))

    def test_suppressed(self) -> None:
        """Which messages are not sent is remembered with them."""
        suppressed = frozenset(IDS[1:])
        change = idempotency.keep(CLAIM, IDS, NOW, suppressed)
        with self.database.begin() as connection:
            connection.execute(change.statement, change.rows)
        self.assertEqual(Answer(CLAIM.fingerprint, IDS, suppressed), self.answer())

    def test_one_for_each_account_and_key(self) -> None:
        """Keys of other accounts, and keys in another case, are other keys."""
        self.keep()
        for claim in (Claim(2, CLAIM.key, ""), Claim(1, "Order-5512", "")):
            self.assertIsNone(self.answer(claim))
            self.keep(claim)

    def test_clash(self) -> None:
        """A key cannot be remembered twice, not even by the same submission."""
        self.keep()
        with self.assertRaises(IntegrityError):
            self.keep()

    def test_old_answer_is_in_the_way(self) -> None:
        """An old answer is in the way until it is forgotten; younger ones stay."""
        other = Claim(1, "order-5513", "e" * 64)
        self.keep()
        self.keep(other, NOW + 1)
        later = NOW + KEPT_SECONDS
        with self.assertRaises(IntegrityError):
            self.keep(now=later)
        self.forget(later)
        self.keep(now=later)
        self.assertIsNotNone(self.answer(other, later))


class IdempotencyOnPostgresqlTests(OnPostgresql, IdempotencyTests):
    """The same on PostgreSQL."""
