"""An intake before a real database, and what clients hand in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import select
from twisted.internet.defer import Deferred

from smtpeter.accounts.interfaces import SenderInfo
from smtpeter.admission import AdmissionDesk, AdmissionRules
from smtpeter.applying import ApplyingDomains
from smtpeter.delivery.reports import ReportWriter
from smtpeter.intake import Intake, IntakeSettings
from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content
from smtpeter.message.envelope import Accepted, Envelope, Recipient, Submission, Trace
from smtpeter.message.features import Features
from smtpeter.message.reply import Refused
from smtpeter.store import accounts, messages, tables
from smtpeter.store.changes import Change, Planned
from smtpeter.store.database import Database
from smtpeter.store.keys import KeySource
from smtpeter.store.messages import Message
from smtpeter.store.standing import standing_of
from smtpeter.suppressing import Suppressing
from tests.delivery.house import Asked
from tests.store.cases import NOW, DatabaseCase

LIFETIME = 86_400.0
MAIL = b"From: Noor <noor@shop.example>\r\nSubject: Your order\r\n\r\nIt is on its way.\r\n"
TRACE = Trace("desk.shop.example", "192.0.2.7", "ESMTPSA")
DAY = 24 * 3600.0


class OpenStore:
    """
    A real database, read and written at once, or when a test wants.

    Attributes:
        trouble: what adding mail fails with.
        mute: it is added all the same.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.prompt = True
        self.asked: list[Asked] = []
        self.trouble: Exception | None = None
        self.mute = False

    def read(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return self._ask(lambda: self._call(self.database.connect, function, args))

    def transact(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return self._ask(lambda: self._call(self.database.begin, function, args))

    def add(self, changes: Sequence[Change], octets: int) -> Deferred[Any]:
        assert octets > 0
        return self._ask(lambda: self._add(changes))

    def add_planned(
        self, plan: Callable[..., Planned[Any]], *args: Any, octets: int
    ) -> Deferred[Any]:
        assert octets > 0
        return self._ask(lambda: self._add_planned(plan, args))

    def _call(self, opened: Callable[[], Any], function: Callable[..., Any], args: Any) -> Any:
        with opened() as connection:
            return function(connection, *args)

    def _add(self, changes: Sequence[Change]) -> None:
        self._add_planned(lambda _: Planned(changes, None), ())

    def _add_planned(self, plan: Callable[..., Planned[Any]], args: Any) -> Any:
        if self.trouble is not None and not self.mute:
            raise self.trouble
        with self.database.begin() as connection:
            planned = plan(connection, *args)
            for change in planned.changes:
                connection.execute(change.statement, change.rows)
        if self.trouble is not None:
            raise self.trouble
        return planned.answer

    def _ask(self, act: Callable[[], Any]) -> Deferred[Any]:
        asked = Asked(act)
        self.asked.append(asked)
        if self.prompt:
            self.answer_one()
        return asked.answer

    def answer_one(self) -> None:
        """Do and answer what was asked first."""
        asked = self.asked.pop(0)
        asked.do()
        if isinstance(asked.result, Exception):
            asked.answer.errback(asked.result)
        else:
            asked.answer.callback(asked.result)


def submission(
    octets: bytes = MAIL, *recipients: str, sender: str | None = "noor@shop.example", **more: Any
) -> Submission:
    """A submission of a client."""
    to = tuple(
        Recipient(Mailbox.parse(each), each) for each in recipients or ("kees@mailbox.example",)
    )
    envelope = Envelope(Mailbox.parse(sender) if sender else None, to)
    return Submission(
        **{"envelope": envelope, "content": Content.from_octets(octets), "trace": TRACE, **more}
    )


def with_fields(*lines: str) -> bytes:
    """The mail with further header fields."""
    return "".join(f"{line}\r\n" for line in lines).encode() + MAIL


def new_intake(
    store: OpenStore,
    added: Callable[[Sequence[Message], Content], None],
    in_thread: Callable[..., Deferred[Any]],
    seconds: Callable[[], float],
    *,
    refuse: bool = False,
    rules: AdmissionRules | None = None,
) -> Intake:
    """An intake with such rules."""
    real: Any = store
    keys = KeySource(seconds)
    return Intake(
        real,
        keys,
        IntakeSettings("mail.relay.example", LIFETIME, ("x-smtpeter-", "x-acme-"), refuse),
        AdmissionDesk(real, ApplyingDomains(real, seconds), rules or AdmissionRules()),
        Suppressing(ReportWriter("mail.relay.example", keys, destination_of, in_thread)),
        destination_of,
        added,
        in_thread,
        seconds,
    )


def destination_of(domain: str) -> str:
    return f"mx.{domain}"


class IntakeCase(DatabaseCase):
    """An intake before a real database."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            self.account = accounts.add_account(connection, "noor@shop.example", "", NOW).id
            self.other = accounts.add_account(connection, "eva@other.example", "", NOW).id
        self.new_intake()

    def new_intake(self, **rules: Any) -> None:
        """The process has started again."""
        self.store_ = OpenStore(self.database)
        self.now = NOW
        self.announced: list[tuple[tuple[Message, ...], Content]] = []
        self.in_threads: list[str] = []
        self.intake = new_intake(
            self.store_,
            lambda added, content: self.announced.append((tuple(added), content)),
            self.in_thread,
            lambda: self.now,
            **rules,
        )

    def in_thread(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.in_threads.append(function.__name__)
        done.callback(function(*args))
        return done

    def who(
        self, features: Features | None = None, account: int | None = None, payer: str = "login:1"
    ) -> SenderInfo:
        """Somebody who has just logged in."""
        with self.database.connect() as connection:
            of = accounts.account_by_id(connection, account or self.account)
            assert of is not None
            standing = standing_of(connection, of.id, of.pool, payer)
        return SenderInfo(of.id, "smtp", "noor", features or Features(), payer, standing)

    def submit(self, what: Submission, who: SenderInfo | None = None) -> Deferred[Accepted]:
        return self.intake.submit(who or self.who(), what)

    def accepted(self, what: Submission, who: SenderInfo | None = None) -> Accepted:
        return self.successResultOf(self.submit(what, who))

    def refused(self, what: Submission, who: SenderInfo | None = None) -> tuple[str, int]:
        """The reply to an SMTP client and the status for a REST client."""
        error = self.failureResultOf(self.submit(what, who), Refused).value
        return f"{error.reply.code} {error.reply.enhanced} {error.reply.text}", error.status

    def stored(self) -> list[Message]:
        """All messages in the store, in the order they came."""
        with self.database.connect() as connection:
            query = (
                select(tables.messages, *messages.PARCEL_COLUMNS)
                .join(tables.submissions)
                .order_by(tables.submissions.c.key, tables.messages.c.recipient)
            )
            rows = connection.execute(query).all()
        return [messages.message_of(row, messages.parcel_of(row)) for row in rows]

    def content(self, one: Message) -> bytes:
        """What is stored as the content of a message."""
        with self.database.connect() as connection:
            content = messages.load_content(connection, one.parcel.key)
        assert content is not None
        return bytes(content)
