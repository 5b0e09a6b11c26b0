"""What an account may send: suppressions, quotas, sender domains, pools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from smtpeter.admission import AdmissionRules
from smtpeter.message.envelope import Submission
from smtpeter.message.features import Features
from smtpeter.message.reply import Refused
from smtpeter.quotas import DAY, EVERYBODY, HOUR, MONTH, end_of
from smtpeter.store import domains, messages, quotas, suppressions, tables
from smtpeter.store.database import CommitUnclear, StoreUnavailable
from smtpeter.store.messages import Message, State
from tests.intakes import LIFETIME, MAIL, IntakeCase, submission
from tests.store.cases import NOW

KEES, RIA = "kees@mailbox.example", "ria@mailbox.example"
NEXT_HOUR = end_of(HOUR, NOW)
ALWAYS = AdmissionRules(require_sender_domain=True)
POOLS = AdmissionRules(pools={"news", "fast"})


def recipients(count: int) -> list[str]:
    """So many addresses."""
    return [f"r{number}@x.example" for number in range(count)]


class WarningLog:
    """Keeps the warnings of a log."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str, **values: object) -> None:
        self.warnings.append(text.format(**values))


class AdmissionCase(IntakeCase):
    """An intake, and what the operator has said about accounts."""

    def put_on_list(self, *addresses: str, reason: str = "mailbox", now: float = NOW) -> None:
        """Put addresses on the account's suppression list."""
        with self.database.begin() as connection:
            for each in addresses:
                suppressions.suppress(connection, self.account, each, reason, "gone", "", now)

    def quota(self, payer: str = EVERYBODY, **messages: int) -> None:
        with self.database.begin() as connection:
            quotas.write(connection, self.account, payer, messages)

    def domain(self, name: str, approved: float | None = NOW, pool: str = "") -> None:
        with self.database.begin() as connection:
            domains.add_domain(
                connection,
                self.account,
                name,
                NOW,
                approved=approved,
                tracking_host=f"clicks.{name}",
                bounce_host=f"bounces.{name}",
            )
            connection.execute(
                update(tables.sender_domains)
                .where(tables.sender_domains.c.name == name)
                .values(pool=pool)
            )

    def rows(self) -> Mapping[str, Any]:
        """The rows of messages, by their ids."""
        with self.database.connect() as connection:
            return {row.id: row for row in connection.execute(select(tables.messages))}

    def events(self, message: str) -> list[tuple[str, dict[str, str]]]:
        """What happened to a message."""
        with self.database.connect() as connection:
            rows = connection.execute(
                select(tables.events)
                .where(tables.events.c.message == message)
                .order_by(tables.events.c.sequence)
            )
            return [(row.kind, json.loads(row.details)) for row in rows]

    def delivered(self) -> list[str]:
        """The recipients of messages that the queue was told of."""
        return [str(each.recipient.mailbox) for added, _ in self.announced for each in added]

    def new_reads(self) -> list[str]:
        """What the store was asked while one submission was taken."""
        asked: list[str] = []
        read = self.store_.read

        def noted(function: Any, *args: Any) -> Any:
            asked.append(function.__name__)
            return read(function, *args)

        self.patch(self.store_, "read", noted)
        self.accepted(submission())
        return asked


class PlainTests(AdmissionCase):
    """Accounts of which there is nothing."""

    def test_nothing_asked(self) -> None:
        """Their mail is stored without a question to the store, and without waiting."""
        self.assertEqual([], self.new_reads())
        self.assertEqual([State.WAITING], [row.state for row in self.rows().values()])


class SuppressionTests(AdmissionCase):
    """Recipients to whom the account sends no more."""

    def test_failure(self) -> None:
        """A suppressed recipient fails at once, in the same commit; others get their mail."""
        self.put_on_list(KEES, now=NOW - 86_400)
        answer = self.accepted(submission(MAIL, "Kees@MailBox.example", RIA))
        gone, sent = (self.rows()[each] for each in answer.ids)
        reason = "Recipient is on the suppression list (mailbox, since 2023-11-13)"
        self.assertEqual(
            (State.FAILED, 0, reason, NOW),
            (gone.state, gone.attempts, gone.last_reply, gone.finished),
        )
        self.assertEqual(State.WAITING, sent.state)
        (attempt, _), (failure, details) = self.events(gone.id)
        self.assertEqual(("attempt", "failure"), (attempt, failure))
        expected = {
            "type": "error",
            "state": "process",
            "status": "5.7.1",
            "description": reason,
            "attempt": "0",
            "code": "0",
        }
        self.assertEqual(expected, {name: details[name] for name in expected})
        self.assertEqual(["attempt"], [kind for kind, _ in self.events(sent.id)])
        self.assertEqual(frozenset({gone.id}), answer.suppressed)
        self.assertIn(RIA, self.delivered())
        self.assertNotIn(KEES, map(str.lower, self.delivered()))

    def test_report(self) -> None:
        """The sender gets one report on all of them that he wants to hear of."""
        self.put_on_list(KEES, RIA, "eva@mailbox.example")
        what = submission(MAIL, KEES, RIA, "eva@mailbox.example")
        kees, ria, eva = what.envelope.recipients
        never = evolve(ria, notify=frozenset({"NEVER"}))
        self.accepted(evolve(what, envelope=evolve(what.envelope, recipients=(kees, never, eva))))
        [((report,), content)] = self.announced
        self.assertEqual("noor@shop.example", str(report.recipient.mailbox))
        self.assertIsNone(report.parcel.account_id)
        octets = bytes(content)
        for address, count in ((KEES, 1), ("eva@mailbox.example", 1), (RIA, 0)):
            self.assertEqual(count, octets.count(f"Final-Recipient: rfc822; {address}".encode()))
        self.assertIn(b"Status: 5.7.1\r\n", octets)
        self.assertIn(b"No attempt was made", octets)
        self.assertEqual(State.WAITING, self.rows()[report.id].state)

    def test_no_report(self) -> None:
        """Nobody gets a report on a message from nobody."""
        self.put_on_list(KEES)
        answer = self.accepted(submission(sender=None))
        self.assertEqual(([], set(answer.ids)), (self.announced, set(self.rows())))

    def test_report_fails(self) -> None:
        """A fault in the report keeps nothing else back."""
        self.put_on_list(KEES)
        self.patch(self.intake._suppressing, "_reporter", None)
        answer = self.accepted(submission())
        self.assertEqual(set(answer.ids), set(self.rows()))
        self.assertEqual(1, len(self.flushLoggedErrors(AttributeError)))

    def test_expired(self) -> None:
        """An entry that has expired suppresses nobody."""
        self.put_on_list(KEES, now=NOW - 200 * 86_400)
        self.assertEqual(frozenset(), self.accepted(submission()).suppressed)
        self.assertEqual([KEES], self.delivered())

    def test_other_account(self) -> None:
        """The list of one account is nothing to another."""
        self.put_on_list(KEES)
        self.accepted(submission(), self.who(account=self.other))
        self.assertEqual([KEES], self.delivered())

    def test_one_question(self) -> None:
        """However many recipients there are, the list is asked once."""
        self.put_on_list(KEES)
        self.assertEqual(["suppressed"], self.new_reads())

    def test_repeated(self) -> None:
        """Who repeats a submission gets the same answer, and no second report."""
        self.put_on_list(KEES)
        what = submission(MAIL, KEES, RIA, idempotency_key="order-5512")
        first = self.accepted(what)
        self.assertEqual(first.ids[:1], tuple(first.suppressed))
        told = len(self.announced)
        self.assertEqual(first, self.accepted(what))
        self.assertEqual(told, len(self.announced))
        self.assertEqual(3, len(self.rows()))

    def test_store_is_away(self) -> None:
        """When the list cannot be asked nothing is taken."""
        self.put_on_list(KEES)
        who = self.who()

        def away(*_: object) -> None:
            raise StoreUnavailable("away")

        self.patch(self.store_, "_call", away)
        reply, status = self.refused(submission(), who)
        self.assertEqual(("451 4.3.0", 503), (reply[:9], status))
        self.assertEqual({}, self.rows())


class QuotaTests(AdmissionCase):
    """How much an account may send."""

    def dues(self, answer_ids: tuple[str, ...]) -> list[float]:
        rows = self.rows()
        return [round(rows[each].due, 3) for each in answer_ids]

    def test_over(self) -> None:
        """What is over waits for the first period with room, for as long as other mail."""
        self.quota(hour=2)
        ids = [self.accepted(submission()).ids[0] for _ in range(5)]
        hours = [NEXT_HOUR, NEXT_HOUR, NEXT_HOUR + 3600]
        self.assertEqual([NOW, NOW, *hours], self.dues(tuple(ids)))
        self.assertEqual(
            [NOW + LIFETIME] * 2 + [due + LIFETIME for due in hours],
            [round(each.parcel.deliver_by, 3) for each in self.stored()],
        )
        [(_, first), *_], [(_, third), *_] = self.events(ids[0]), self.events(ids[2])
        self.assertNotIn("quota", first)
        self.assertEqual(
            "2 messages an hour for the account, used up until 2023-11-14T23:00:00Z",
            third["quota"],
        )

    def test_queue(self) -> None:
        """The queue is told of all of them, and when they are due, as they are stored."""
        self.quota(hour=1)
        self.accepted(submission(MAIL, KEES, RIA))
        [(announced, _)] = self.announced
        self.assertEqual(sorted(self.stored(), key=lambda each: each.due), list(announced))
        self.assertEqual([NOW, NEXT_HOUR], [round(each.due, 3) for each in announced])

    def test_recipients(self) -> None:
        """Each recipient counts; what the client wants until a time is not tried for longer."""
        self.quota(hour=2, day=3)
        until = NEXT_HOUR + 60
        answer = self.accepted(
            submission(MAIL, *map("r{}@x.example".format, range(4)), deliver_by=until)
        )
        self.assertEqual([NOW, NOW, NEXT_HOUR, until + 1], self.dues(answer.ids))
        self.assertEqual({until}, {each.parcel.deliver_by for each in self.stored()})

    def test_login(self) -> None:
        """A login may have a quota of its own; then others of the account go on."""
        self.quota("login:1", hour=1)
        ids = [
            self.accepted(submission(), self.who(payer=payer)).ids[0]
            for payer in ("login:1", "login:1", "login:2", "token:1")
        ]
        self.assertEqual([NOW, NEXT_HOUR, NOW, NOW], self.dues(tuple(ids)))

    def test_suppressed_do_not_count(self) -> None:
        """What is not sent is not counted."""
        self.quota(hour=1)
        self.put_on_list(KEES)
        self.accepted(submission(MAIL, KEES, sender=None))
        answer = self.accepted(submission(MAIL, KEES, RIA, sender=None))
        self.assertEqual(NOW, self.dues(answer.ids)[1])

    def test_refuse(self) -> None:
        """Where the operator says so what is over is refused, by a reply that names the quota."""
        self.new_intake(refuse=True)
        self.quota(day=2)
        self.accepted(submission())
        self.assertEqual(
            (
                (
                    "452 4.2.2 Over the quota of 2 messages a day for the account, used up until "
                    "2023-11-15T00:00:00Z, try again then"
                ),
                429,
            ),
            self.refused(submission(MAIL, KEES, RIA)),
        )
        error = self.failureResultOf(self.submit(submission(MAIL, KEES, RIA)), Refused).value
        self.assertAlmostEqual(end_of(DAY, NOW) - NOW, error.retry_seconds, places=3)
        self.assertEqual(1, len(self.rows()))
        self.accepted(submission())  # what was refused is not counted

    def test_too_long(self) -> None:
        """What would have to wait for more than a month is refused in any case."""
        self.quota(month=1)
        for _ in range(2):
            self.accepted(submission())
        reply, status = self.refused(submission())
        self.assertEqual(("452 4.2.2", 429), (reply[:9], status))
        self.assertEqual(2, len(self.rows()))

    def test_not_stored(self) -> None:
        """What could not be stored is not counted."""
        self.quota(hour=1)
        self.store_.trouble = StoreUnavailable("away")
        self.refused(submission())
        self.store_.trouble = None
        self.assertEqual([NOW], self.dues(self.accepted(submission()).ids))

    def test_answer_lost(self) -> None:
        """When the answer to a commit is lost, what is over waits all the same."""
        self.quota(hour=1)
        self.store_.trouble, self.store_.mute = CommitUnclear("gone"), True
        for key in (None, "order-5512"):
            self.announced.clear()
            answer = self.accepted(submission(MAIL, KEES, RIA, idempotency_key=key))
            [(announced, _)] = self.announced
            self.assertEqual(self.dues(answer.ids), [round(each.due, 3) for each in announced], key)
        self.assertEqual(NEXT_HOUR + 7200, max(round(row.due) for row in self.rows().values()))

    def test_repeated(self) -> None:
        """A submission that is repeated counts once."""
        self.quota(hour=2)
        what = submission(idempotency_key="order-5512")
        self.assertEqual(self.accepted(what), self.accepted(what))
        self.assertEqual([NOW], self.dues(self.accepted(submission()).ids))

    def test_removed_meanwhile(self) -> None:
        """A quota that was removed since the login holds nothing back."""
        self.quota(hour=1)
        who = self.who()
        with self.database.begin() as connection:
            quotas.write(connection, self.account, EVERYBODY, {HOUR: None})
        answer = self.accepted(submission(MAIL, KEES, RIA), who)
        self.assertEqual([NOW, NOW], self.dues(answer.ids))

    @settings(max_examples=25)
    @given(st.lists(st.integers(1, 3), max_size=6), st.integers(1, 4))
    def test_never_more(self, submissions: list[int], hour: int) -> None:
        """However many recipients come together, no hour gets more than it may."""
        self.quota(hour=hour, month=1000)
        with self.database.begin() as connection:
            for table in (tables.events, tables.messages, tables.submissions, tables.quota_usage):
                connection.execute(table.delete())
        for count in submissions:
            self.accepted(submission(MAIL, *recipients(count)))
        dues = [row.due for row in self.rows().values()]
        hours = [due // 3600 for due in dues]
        self.assertLessEqual(max(map(hours.count, hours), default=0), hour)
        self.assertEqual(-(-len(dues) // hour), len(set(hours)))


class SenderDomainTests(AdmissionCase):
    """From which domains an account may send."""

    REFUSED = (
        (
            "550 5.7.1 You cannot send mailings from shop.example without configuring it as sender "
            "domain"
        ),
        403,
    )

    def setUp(self) -> None:
        super().setUp()
        self.new_intake(rules=ALWAYS)

    def test_required(self) -> None:
        """Without an approved domain for the author nothing is taken."""
        self.assertEqual(self.REFUSED, self.refused(submission()))
        self.domain("shop.example", approved=None)
        self.assertEqual(self.REFUSED, self.refused(submission()))
        self.domain("other.example")
        self.assertEqual(self.REFUSED, self.refused(submission()))
        self.assertEqual({}, self.rows())

    def test_approved(self) -> None:
        """From an approved domain, and from below it, mail is taken."""
        self.domain("shop.example")
        self.accepted(submission())
        self.accepted(submission(MAIL.replace(b"@shop", b"@news.shop")))
        self.assertEqual(self.REFUSED, self.refused(submission(), self.who(account=self.other)))

    def test_written_by_others(self) -> None:
        """The domain is named as A-labels; an address literal is none."""
        self.domain("shop.example")
        for domain, named in (("grüße.example", "xn--gre-6ka8l.example"), ("[192.0.2.1]",) * 2):
            octets = f"From: noor@{domain}\r\n\r\n".encode()
            reply, _ = self.refused(submission(octets))
            self.assertIn(f"from {named} without", reply)

    def test_not_required(self) -> None:
        """Where it is not required mail comes from anywhere."""
        self.new_intake()
        self.accepted(submission())


class PoolTests(AdmissionCase):
    """Addresses of ours that mail is sent from."""

    def setUp(self) -> None:
        super().setUp()
        self.new_intake(rules=POOLS)

    def bind(self, pool: str) -> None:
        """Bind the account to a pool."""
        with self.database.begin() as connection:
            connection.execute(
                update(tables.accounts)
                .where(tables.accounts.c.id == self.account)
                .values(pool=pool)
            )

    def pool(self, what: Submission | None = None) -> str:
        """That of a message that is handed in, as stored and as the queue hears of it."""
        [one] = self.accepted(what or submission()).ids
        announced: Message = self.announced[-1][0][0]
        self.assertEqual(announced.pool, self.rows()[one].pool)
        return announced.pool

    def test_account(self) -> None:
        """Mail goes from the pool of the account, without a question."""
        self.assertEqual("", self.pool())
        self.bind("news")
        self.assertEqual([], self.new_reads())
        self.assertEqual("news", self.pool())

    def test_domain(self) -> None:
        """That of the sender domain comes first: the closest one's, if it has one."""
        self.bind("news")
        self.domain("shop.example", pool="fast")
        self.domain("b.shop.example")
        self.assertEqual("fast", self.pool())
        for sub, pool in ((b"@a.shop", "fast"), (b"@b.shop", "news"), (b"@other", "news")):
            self.assertEqual(pool, self.pool(submission(MAIL.replace(b"@shop", sub))))

    def test_gone(self) -> None:
        """A pool that is configured no more is the usual one, with one warning."""
        self.bind("gone")
        log = WarningLog()
        self.patch(self.intake._desk, "_log", log)
        self.assertEqual(["", ""], [self.pool() for _ in range(2)])
        [warning] = log.warnings
        self.assertIn("delivery.pools.gone", warning)


class TogetherTests(AdmissionCase):
    """All of it for one submission."""

    def test_together(self) -> None:
        """Pool, priority, suppression and quota of one submission are found and stored together."""
        self.new_intake(rules=AdmissionRules(require_sender_domain=True, pools={"fast"}))
        self.domain("shop.example", pool="fast")
        self.put_on_list(KEES, reason="complaint")
        self.quota(hour=1, month=100)
        who = self.who(Features(priority="bulk"))
        answer = self.accepted(
            submission(MAIL, KEES, RIA, "eva@mailbox.example", idempotency_key="k"), who
        )
        rows = [self.rows()[each] for each in answer.ids]
        self.assertEqual([State.FAILED, State.WAITING, State.WAITING], [row.state for row in rows])
        self.assertEqual([NOW, NOW, NEXT_HOUR], [round(row.due) for row in rows])
        self.assertEqual({("fast", messages.BULK)}, {(row.pool, row.priority) for row in rows})
        self.assertIn("(complaint, since 2023-11-14)", rows[0].last_reply)
        self.assertEqual(frozenset(answer.ids[:1]), answer.suppressed)
        with self.database.connect() as connection:
            used = quotas.usage(connection, self.account, NOW)
        self.assertEqual({(HOUR, 1), (MONTH, 2)}, {(slot.period, n) for slot, n in used.items()})
