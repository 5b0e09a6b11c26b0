from __future__ import annotations

from typing import Any

from sqlalchemy import select

from smtpeter.quotas import DAY, EVERYBODY, HOUR, MONTH, Quota, Slot, end_of, start_of
from smtpeter.store import accounts, messages, quotas, replanning, tables
from smtpeter.store.messages import Message, State
from smtpeter.store.queue import cancel
from smtpeter.store.replanning import change, payer_names
from smtpeter.store.switching import change_token
from tests.store.cases import NOW, DatabaseCase, OnPostgresql, message, parcel

LIFETIME = 86_400.0
NEXT_HOUR = end_of(HOUR, NOW)
NEXT_DAY = end_of(DAY, NOW)
HOURS = [NEXT_HOUR + 3600.0 * number for number in range(10)]


class QuotaCase(DatabaseCase):
    """Two accounts; one of them has two logins and a token."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            self.noor, self.eva = (
                accounts.add_account(connection, f"{name}@shop.example", "hash", NOW).id
                for name in ("noor", "eva")
            )
            self.desk, self.till = (
                f"login:{accounts.add_login(connection, self.noor, name, 'hash', NOW).id}"
                for name in ("desk", "till")
            )
            token = accounts.add_token(connection, self.noor, "d" * 64, NOW, label="crm")
            self.token_id, self.crm = token.id, f"token:{token.id}"

    def change(self, payer: str = EVERYBODY, now: float = NOW, **wanted: int | None) -> int:
        """Change quotas of the first account; gives how many messages were moved."""
        with self.database.begin() as connection:
            return change(connection, self.noor, payer, wanted, now, LIFETIME)

    def used(self, now: float = NOW) -> dict[Slot, int]:
        """What is counted of the first account."""
        with self.database.connect() as connection:
            found = quotas.usage(connection, self.noor, now)
        return {slot: number for slot, number in found.items() if number}


class StoredQuotaTests(QuotaCase):
    """What is remembered of quotas."""

    def quotas(self) -> list[Quota]:
        with self.database.connect() as connection:
            self.assertEqual([], quotas.quotas_of(connection, self.eva))
            return quotas.quotas_of(connection, self.noor)

    def test_set(self) -> None:
        """Quotas are set one by one, changed, and removed."""
        self.change(hour=10, day=100)
        self.change(self.desk, month=1000)
        self.change(day=200)
        self.change(hour=None, month=None)
        expected = [Quota(EVERYBODY, DAY, 200), Quota(self.desk, MONTH, 1000)]
        self.assertEqual(expected, self.quotas())

    def test_counted(self) -> None:
        """Messages are counted in the periods of quotas, from one transaction to the next."""
        self.change(hour=2)
        self.change(self.desk, day=3)
        for expected in ([NOW] * 2, [NEXT_HOUR], [NEXT_DAY]):
            with self.database.begin() as connection:
                planner = quotas.planner_for(connection, self.noor, self.desk, NOW)
                dues = [planner.place(self.desk, NOW).due for _ in expected]
                quotas.count(connection, self.noor, planner.changes)
            for due, wanted in zip(dues, expected, strict=True):
                self.assertAlmostEqual(wanted, due, places=3)
        with self.database.begin() as connection:
            planner = quotas.planner_for(connection, self.noor, self.till, NOW)
            over = planner.place(self.till, NOW).over
        self.assertEqual(Quota(EVERYBODY, HOUR, 2), over)
        self.assertEqual(
            {
                Slot(EVERYBODY, HOUR, start_of(HOUR, NOW)): 2,
                Slot(EVERYBODY, HOUR, NEXT_HOUR): 1,
                Slot(EVERYBODY, HOUR, NEXT_DAY): 1,
                Slot(self.desk, DAY, start_of(DAY, NOW)): 3,
                Slot(self.desk, DAY, NEXT_DAY): 1,
            },
            self.used(),
        )

    def test_no_quota(self) -> None:
        """Where there is no quota nothing is counted."""
        with self.database.begin() as connection:
            planner = quotas.planner_for(connection, self.eva, "account:2", NOW)
            self.assertEqual(NOW, planner.place("account:2", NOW).due)
            quotas.count(connection, self.eva, planner.changes)
            self.assertEqual([], connection.execute(select(tables.quota_usage)).all())

    def test_counts_end(self) -> None:
        """What a quota has counted goes with it, and with its period."""
        self.change(hour=1, day=1)
        with self.database.begin() as connection:
            planner = quotas.planner_for(connection, self.noor, self.desk, NOW)
            for _ in range(2):
                planner.place(self.desk, NOW)
            quotas.count(connection, self.noor, planner.changes)
        self.change(hour=None)
        days = {Slot(EVERYBODY, DAY, start): 1 for start in (start_of(DAY, NOW), NEXT_DAY)}
        self.assertEqual(days, self.used())
        with self.database.begin() as connection:
            quotas.forget_old(connection, NEXT_DAY)
            [left] = connection.execute(select(tables.quota_usage.c.start)).scalars()
        self.assertEqual(NEXT_DAY, left)

    def test_payers(self) -> None:
        """Whose quota is for a submission is known by its origin and login, whatever it was."""
        with self.database.begin() as connection:
            change_token(connection, self.token_id, label="till")
            other = accounts.add_token(connection, self.noor, "e" * 64, NOW, label="crm").id
            found = payer_names(connection, self.noor)
            self.assertEqual(
                {("smtp", "eva@shop.example"): f"account:{self.eva}"},
                payer_names(connection, self.eva),
            )
        self.assertEqual(
            {
                ("smtp", "noor@shop.example"): f"account:{self.noor}",
                ("smtp", "desk"): self.desk,
                ("smtp", "till"): self.till,
                ("rest", "till"): self.crm,
                ("rest", "crm"): f"token:{other}",
                ("rest", f"token {self.token_id}"): self.crm,
                ("rest", f"token {other}"): f"token:{other}",
            },
            found,
        )


class StoredQuotaOnPostgresqlTests(OnPostgresql, StoredQuotaTests):
    """The same on PostgreSQL."""


class ReplanningTests(QuotaCase):
    """What waits when quotas change."""

    def hand_in(
        self,
        count: int = 1,
        payer: str = "",
        origin: str = "smtp",
        login: str = "desk",
        deliver_by: float | None = None,
    ) -> list[Message]:
        """A submission with so many recipients, placed as the intake does."""
        payer = payer or self.desk
        with self.database.begin() as connection:
            planner = quotas.planner_for(connection, self.noor, payer, NOW)
            latest: dict[str, Any] = {} if deliver_by is None else {"latest": deliver_by}
            dues = [planner.place(payer, NOW, **latest).due for _ in range(count)]
            quotas.count(connection, self.noor, planner.changes)
        of = parcel(
            account_id=self.noor,
            origin=origin,
            login=login,
            deliver_by=max(dues) + LIFETIME if deliver_by is None else deliver_by,
        )
        added = [
            message(f"r{number}@mailbox.example", due, of=of) for number, due in enumerate(dues)
        ]
        self.store(*added)
        return added

    def dues(self) -> list[float]:
        """When messages are due, rounded, in the order they were handed in."""
        with self.database.connect() as connection:
            query = (
                select(tables.messages.c.due)
                .join(tables.submissions)
                .order_by(tables.submissions.c.key, tables.messages.c.recipient)
            )
            return [round(due) for due in connection.execute(query).scalars()]

    def ends(self) -> list[float]:
        """Until when submissions are tried, in their order."""
        with self.database.connect() as connection:
            query = select(tables.submissions.c.deliver_by).order_by(tables.submissions.c.key)
            return [round(end) for end in connection.execute(query).scalars()]

    def nudged(self) -> list[str]:
        with self.database.connect() as connection:
            return list(connection.execute(select(tables.nudges.c.destination)).scalars())

    def test_raised(self) -> None:
        """When a quota is raised what waits goes earlier, in order, and the queue hears."""
        self.change(hour=1)
        self.hand_in(2)
        self.hand_in(3)
        self.assertEqual([NOW, *HOURS[:4]], self.dues())
        self.assertEqual([HOURS[0] + LIFETIME, HOURS[3] + LIFETIME], self.ends())
        self.assertEqual(4, self.change(hour=3))
        self.assertEqual([NOW] * 3 + [HOURS[0]] * 2, self.dues())
        self.assertEqual([NOW + LIFETIME, HOURS[0] + LIFETIME], self.ends())
        self.assertEqual(["mailbox.example"], self.nudged())
        self.assertEqual(
            {Slot(EVERYBODY, HOUR, start_of(HOUR, NOW)): 3, Slot(EVERYBODY, HOUR, HOURS[0]): 2},
            self.used(),
        )

    def test_removed(self) -> None:
        """When it is removed everything goes, and nothing is counted."""
        self.change(hour=1)
        self.hand_in(3)
        self.assertEqual(2, self.change(hour=None))
        self.assertEqual([NOW] * 3, self.dues())
        self.assertEqual({}, self.used())

    def test_lowered(self) -> None:
        """When it is lowered what waits goes later, for longer than new mail might wait."""
        self.change(hour=2, month=4)
        self.hand_in(6)
        december = end_of(MONTH, NOW)
        self.assertEqual([NOW] * 2 + [HOURS[0]] * 2 + [december] * 2, self.dues())
        self.change(month=1)
        january, february = end_of(MONTH, december), end_of(MONTH, end_of(MONTH, december))
        march = end_of(MONTH, february)
        self.assertEqual([NOW] * 2 + [december, january, february, march], self.dues())
        self.assertEqual([march + LIFETIME], self.ends())

    def test_too_low(self) -> None:
        """A quota by which what waits would never end is refused, and all stays as it was."""
        self.patch(replanning, "LONGEST_YEARS", 1)
        self.change(hour=1)
        self.hand_in(16)
        before, used = self.dues(), self.used()
        with self.assertRaisesRegex(
            accounts.AccountsError,
            "15 messages wait, and would take more than 1 years: set a higher quota, or cancel",
        ):
            self.change(month=1)
        self.assertEqual((before, used), (self.dues(), self.used()))

    def test_other_quota_added(self) -> None:
        """A quota that is new counts what waits, and moves it."""
        self.change(hour=2)
        self.hand_in(5)
        self.change(self.desk, day=1)
        self.assertEqual([NOW] * 2 + [HOURS[0], NEXT_DAY, NEXT_DAY + 86_400], self.dues())
        self.assertEqual(3, sum(n for slot, n in self.used().items() if slot.period == DAY))

    def test_unchanged(self) -> None:
        """A quota that is set to what it is moves nothing, and nobody is told."""
        self.change(hour=2)
        self.hand_in(7)
        before = (self.dues(), self.ends(), self.used())
        self.assertEqual(0, self.change(hour=2))
        self.assertEqual(before, (self.dues(), self.ends(), self.used()))
        self.assertEqual([], self.nudged())

    def test_logins(self) -> None:
        """The quota of one login moves the mail of no other."""
        self.change(self.desk, hour=1)
        self.change(self.crm, hour=1)
        self.hand_in(3)
        self.hand_in(3, self.crm, "rest", "crm")
        self.assertEqual([NOW, *HOURS[:2]] * 2, self.dues())
        self.change(self.crm, hour=None)
        self.assertEqual([NOW, *HOURS[:2], *[NOW] * 3], self.dues())

    def test_own_end(self) -> None:
        """What the client wants delivered by a time of his own is not tried for longer."""
        self.change(hour=1)
        until = HOURS[1] + 60
        self.hand_in(4, deliver_by=until)
        self.assertEqual([NOW, HOURS[0], HOURS[1], until + 1], self.dues())
        self.assertEqual(3, sum(self.used().values()))
        self.change(hour=1, month=1)
        self.assertEqual([NOW, HOURS[0], until + 1, until + 1], self.dues())
        self.assertEqual([until], self.ends())
        self.change(hour=None, month=None)
        self.assertEqual([NOW] * 4, self.dues())
        self.assertEqual([until], self.ends())

    def test_only_what_waits_for_it(self) -> None:
        """What was tried before, has ended or is due stays as it is."""
        self.change(hour=1)
        tried, ended, due, held = self.hand_in(4)
        with self.database.begin() as connection:
            for each, state in ((tried, State.WAITING), (ended, State.FAILED)):
                outcome = messages.outcome(each, state, due=HOURS[5], reply="later", now=NOW)
                connection.execute(outcome.statement, outcome.rows)
        self.assertEqual(1, self.change(now=due.due, hour=5))
        self.assertEqual(round(due.due), self.dues()[3])
        self.assertEqual([HOURS[5]] * 2 + [round(due.due)] * 2, self.dues())
        self.assertGreater(held.due, due.due)

    def test_cancelled(self) -> None:
        """What is cancelled while it waits for its quota does not count; what went does."""
        self.change(hour=1)
        self.change(self.desk, day=3)
        self.hand_in(3)
        self.hand_in(2, deliver_by=NOW + 60)
        tried, held, *_ = self.hand_in(2, self.till, login="till")
        with self.database.begin() as connection:
            outcome = messages.outcome(tried, State.WAITING, due=HOURS[5], reply="later", now=NOW)
            connection.execute(outcome.statement, outcome.rows)
            self.assertEqual(1, cancel(connection, NOW, message_id=held.id))
        self.assertEqual(3 + 1, self.counted(HOUR))
        with self.database.begin() as connection:
            self.assertEqual(6, cancel(connection, NOW, receiver="mailbox.example"))
        self.assertEqual({HOUR: 2, DAY: 1}, {each: self.counted(each) for each in (HOUR, DAY)})

    def counted(self, period: str) -> int:
        return sum(number for slot, number in self.used().items() if slot.period == period)

    def test_another_account(self) -> None:
        """What another account has waiting is not touched."""
        self.store(message(due=HOURS[0], of=parcel(account_id=self.eva)))
        self.change(hour=1)
        self.change(hour=None)
        self.assertEqual([HOURS[0]], self.dues())


class ReplanningOnPostgresqlTests(OnPostgresql, ReplanningTests):
    """The same on PostgreSQL."""
