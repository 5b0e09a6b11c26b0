from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.accounts.interfaces import SenderInfo
from smtpeter.message.content import Content
from smtpeter.message.envelope import Accepted, Submission
from smtpeter.message.features import ALL_ON, SPELLINGS, SWITCHES, Features, Overrides
from smtpeter.message.reply import Refused
from smtpeter.store import messages, tables
from smtpeter.store.database import CommitUnclear, StorageFull, StoreUnavailable
from smtpeter.store.writer import WriterBusy
from tests.intakes import (
    DAY,
    LIFETIME,
    MAIL,
    TRACE,
    IntakeCase,
    OpenStore,
    new_intake,
    submission,
    with_fields,
)
from tests.store.cases import NOW


def said(name: str, *, on: bool) -> Overrides:
    """That one feature is switched on or off, and nothing else."""
    values: dict[str, Any] = {name: on}
    return Overrides(**values)


class StoringTests(IntakeCase):
    """What is stored of a submission."""

    def test_stored_before_the_answer(self) -> None:
        """The answer comes after the commit, and the queue is told of the same messages."""
        self.store_.prompt = False
        submitting = self.submit(submission())
        self.assertNoResult(submitting)
        self.assertEqual([], self.announced)
        self.store_.answer_one()
        ids = self.successResultOf(submitting).ids
        [one] = self.stored()
        self.assertEqual((one.id,), ids)
        [(announced, content)] = self.announced
        self.assertEqual((one,), announced)
        self.assertEqual(self.content(one), bytes(content))

    def test_message_for_each_recipient(self) -> None:
        """Each recipient has a message of its own, with its id in the order of the recipients."""
        addresses = ("c@x.example", "a@x.example", "b@y.example")
        answer = self.accepted(submission(MAIL, *addresses))
        stored = {each.id: each for each in self.stored()}
        self.assertEqual(
            list(addresses), [str(stored[each].recipient.mailbox) for each in answer.ids]
        )
        self.assertEqual(1, len({each.parcel.key for each in stored.values()}))
        self.assertEqual(
            ["mx.x.example", "mx.x.example", "mx.y.example"],
            [stored[each].destination for each in answer.ids],
        )

    def test_facts(self) -> None:
        """Account, login, envelope, trace and time are stored with it."""
        what = submission(template_id=4, sender=None)
        what = evolve(what, envelope=evolve(what.envelope, ret="FULL", envid="e", smtputf8=True))
        self.accepted(what)
        parcel = self.stored()[0].parcel
        self.assertEqual(
            (self.account, "smtp", "noor"), (parcel.account_id, parcel.origin, parcel.login)
        )
        self.assertEqual(
            (None, "FULL", "e", True), (parcel.sender, parcel.ret, parcel.envid, parcel.smtputf8)
        )
        self.assertEqual((TRACE, 4, NOW), (parcel.trace, parcel.template_id, parcel.received))

    def test_until_when(self) -> None:
        """It is tried for the lifetime, or until the sender says; also until a time gone by."""
        for said, expected in ((None, NOW + LIFETIME), (NOW + 60, NOW + 60), (NOW - 60, NOW - 60)):
            self.accepted(submission(deliver_by=said))
            self.assertEqual(expected, self.stored()[-1].parcel.deliver_by)
            self.assertEqual(NOW, self.stored()[-1].due)

    def test_eight_bits(self) -> None:
        """Octets above 127 are noticed, declared or not."""
        self.accepted(submission())
        self.accepted(submission(MAIL + "gr\u00fc\u00dfe\r\n".encode()))
        self.assertEqual([False, True], [each.parcel.eightbit for each in self.stored()])

    def test_event(self) -> None:
        """Each message begins with an event that says what was decided for it."""
        octets = with_fields("X-SMTPeter-Tags: spring, nl", "X-SMTPeter-TrackOpens: 1")
        ids = self.accepted(submission(octets, "a@x.example", "b@y.example")).ids
        with self.database.connect() as connection:
            rows = connection.execute(select(tables.events)).all()
        self.assertEqual(list(ids), [row.message for row in rows])
        self.assertEqual(
            {("attempt", self.account, "spring;nl")}, {(r.kind, r.account_id, r.tags) for r in rows}
        )
        self.assertEqual(["a@x.example", "b@y.example"], [row.recipient for row in rows])
        self.assertIn('"trackopens"', rows[0].details)


class HeaderTests(IntakeCase):
    """What a submission server supplies (RFC 6409 section 8)."""

    def test_supplied(self) -> None:
        """Date and Message-ID are put on top where they are missing; nothing else changes."""
        self.accepted(submission())
        [one] = self.stored()
        added, _, rest = self.content(one).partition(MAIL)
        self.assertEqual(b"", rest)
        self.assertRegex(
            added,
            rb"\ADate: Tue, 14 Nov 2023 22:13:20 \+0000\r\n"
            rb"Message-ID: <[0-9a-f]+\.[A-Za-z0-9]{16}@shop\.example>\r\n\Z",
        )
        self.assertEqual(one.parcel.octets, len(self.content(one)))

    def test_nothing_missing(self) -> None:
        """A message that has them is stored octet for octet."""
        octets = b"dATE: whenever\r\nmessage-id:\r\n <a@b>\r\n" + MAIL
        self.accepted(submission(octets))
        self.assertEqual(octets, self.content(self.stored()[0]))

    def test_mime_version(self) -> None:
        """MIME-Version is supplied where the door asks for it, and only where it is missing."""
        for octets, asked, count in (
            (MAIL, False, 0),
            (MAIL, True, 1),
            (with_fields("MIME-VERSION: 1.0"), True, 1),
        ):
            self.accepted(submission(octets, add_mime_version=asked))
            text = self.content(self.stored()[-1]).lower()
            self.assertEqual(count, text.count(b"mime-version: 1.0"))

    def test_two_message_ids(self) -> None:
        """No two messages are given the same Message-ID, however fast they come."""
        for _ in range(2):
            self.accepted(submission())
        first, second = (self.content(each) for each in self.stored())
        self.assertNotEqual(first, second)

    def test_international_author(self) -> None:
        """The Message-ID is ASCII though the author's domain is not."""
        self.accepted(submission("From: noor@gr\u00fc\u00dfe.example\r\n\r\n".encode()))
        self.assertIn(b"@xn--gre-6ka8l.example>", self.content(self.stored()[0]))

    def test_instructions_are_stored(self) -> None:
        """What is stored is what was submitted, instructions included."""
        self.accepted(submission(with_fields("X-SMTPeter-Tags: a")))
        self.assertIn(b"X-SMTPeter-Tags: a\r\n", self.content(self.stored()[0]))


class RefusalTests(IntakeCase):
    """What is not taken."""

    def refused(self, what: Submission, who: SenderInfo | None = None) -> tuple[str, int]:
        """Of what was refused nothing is stored, and the queue is not told."""
        said = super().refused(what, who)
        self.assertEqual(([], []), (self.stored(), self.announced))
        return said

    def test_no_author(self) -> None:
        """A message needs a From field that holds an address."""
        for octets in (b"Subject: x\r\n\r\n", b"From: Noor\r\n\r\n", b"\r\nFrom: a@b.example\r\n"):
            expected = ("550 5.6.0 Message has no valid From header", 400)
            self.assertEqual(expected, self.refused(submission(octets)))

    def test_hops(self) -> None:
        """A message that came too far goes in a circle."""
        lines = ["Received: x"] * 101
        expected = ("554 5.4.6 Too many hops", 400)
        self.assertEqual(expected, self.refused(submission(with_fields(*lines))))

    def test_no_room(self) -> None:
        """A full disk is said to be one."""
        self.store_.trouble = StorageFull("full")
        reply, status = self.refused(submission())
        self.assertEqual(("452 4.3.1", 507), (reply[:9], status))

    def test_no_store(self) -> None:
        """Any other trouble of the store is a temporary failure, with or without a key."""
        for trouble in (StoreUnavailable("away"), WriterBusy("busy")):
            self.store_.trouble = trouble
            for key in (None, "order-5512"):
                reply, status = self.refused(submission(idempotency_key=key))
                self.assertEqual(("451 4.3.0", 503), (reply[:9], status))


class CommitUnclearTests(IntakeCase):
    """The store was lost just when it should have said that mail is stored."""

    def setUp(self) -> None:
        super().setUp()
        self.store_.trouble = CommitUnclear("lost")

    def test_stored(self) -> None:
        """Mail that is found to be stored is accepted once, with or without a key."""
        self.store_.mute = True
        for key in (None, "order-5512"):
            accepted = self.accepted(submission(idempotency_key=key))
            [announced] = self.announced.pop()[0]
            self.assertEqual((announced.id,), accepted.ids)

    def test_not_stored(self) -> None:
        """Mail that is not is refused for the time being."""
        for key in (None, "order-5512"):
            reply, _ = self.refused(submission(idempotency_key=key))
            self.assertEqual("451 4.3.0", reply[:9])
            self.assertEqual([], self.announced)

    def test_still_away(self) -> None:
        """So is mail of which that cannot be found out."""
        self.store_.mute = True

        def away(*_: object) -> Deferred[None]:
            return fail(StoreUnavailable("away"))

        self.patch(self.store_, "read", away)
        self.assertEqual("451 4.3.0", self.refused(submission())[0][:9])


class HopTests(IntakeCase):
    """How far a message may have come."""

    def test_hundred_hops(self) -> None:
        """A hundred hops are not too many (RFC 5321 section 6.3)."""
        self.accepted(submission(with_fields(*["Received: x"] * 100)))


class FeatureTests(IntakeCase):
    """Who decides the features."""

    def decided(self, login: Features, rest: Overrides, *fields: str) -> Features:
        """What holds for a message, as answered and as stored."""
        what = submission(with_fields(*fields), overrides=rest)
        answer = self.accepted(what, self.who(login))
        stored = self.stored()[-1].parcel.features
        self.assertEqual(stored, answer.features)
        return stored

    def test_login(self) -> None:
        """Where nobody says anything, the login decides."""
        for login in (Features(), ALL_ON):
            self.assertEqual(login, self.decided(login, Overrides()))

    def test_each_spelling(self) -> None:
        """Each header name switches its feature on and off against login and REST field."""
        for spelling, name in SPELLINGS.items():
            for word, on in (("TRUE", True), ("Off", False)):
                login = Features() if on else ALL_ON
                field = f"X-SMTPeter-{spelling}: {word}"
                decided = self.decided(login, said(name, on=not on), field)
                self.assertEqual(login.overridden(said(name, on=on)), decided, field)

    def test_rest_over_login(self) -> None:
        """A REST field beats the login, in both directions."""
        for name in SWITCHES:
            for on in (True, False):
                login = Features() if on else ALL_ON
                decided = self.decided(login, said(name, on=on))
                self.assertEqual(login.overridden(said(name, on=on)), decided)

    def test_no_valid_word(self) -> None:
        """A header that says nothing valid leaves the decision to the next level."""
        decided = self.decided(
            ALL_ON, Overrides(trackclicks=False), "x-smtpeter-trackclicks: maybe"
        )
        self.assertFalse(decided.trackclicks)
        self.assertTrue(decided.trackopens)

    def test_images_and_tags(self) -> None:
        """Images and tags follow the same order; tags of all headers are joined."""
        fields = ("X-SMTPeter-Images: DEFAULT", "x-smtpeter-tags: a, b", "X-Acme-Tags: b,c")
        decided = self.decided(ALL_ON, Overrides(images="hosted", tags=("rest",)), *fields)
        self.assertEqual(("default", ("a", "b", "c")), (decided.images, decided.tags))
        decided = self.decided(ALL_ON, Overrides(tags=("rest",)))
        self.assertEqual(("hosted", ("rest",)), (decided.images, decided.tags))

    def test_priority(self) -> None:
        """So does the priority, by which messages wait."""
        for login, rest, fields, priority in (
            ("normal", None, [], messages.NORMAL),
            ("bulk", None, [], messages.BULK),
            ("bulk", "high", [], messages.HIGH),
            ("bulk", "high", ["X-SMTPeter-Priority: normal"], messages.NORMAL),
            ("bulk", "high", ["X-SMTPeter-Priority: soon"], messages.HIGH),
        ):
            what = submission(with_fields(*fields), overrides=Overrides(priority=rest))
            self.accepted(what, self.who(Features(priority=login)))
            self.assertEqual(priority, self.stored()[-1].priority)
            self.assertEqual(priority, self.announced[-1][0][0].stream.priority)

    @given(st.tuples(st.booleans(), *[st.sampled_from([None, True, False])] * 2))
    def test_the_last_level_that_speaks(
        self, levels: tuple[bool, bool | None, bool | None]
    ) -> None:
        """Of login, REST field and header the last one that speaks decides."""
        login, rest, header = levels
        fields = [] if header is None else [f"x-smtpeter-trackopens: {header}"]
        spoken = [each for each in levels if each is not None]
        decided = self.decided(Features(trackopens=login), Overrides(trackopens=rest), *fields)
        self.assertEqual(spoken[-1], decided.trackopens)


class ThreadTests(IntakeCase):
    """What would hold up the reactor."""

    def test_small(self) -> None:
        """A common message is examined at once."""
        self.accepted(submission(idempotency_key="order-5512"))
        self.assertEqual([], self.in_threads)

    def test_large_header(self) -> None:
        """A large header is examined in a thread."""
        self.accepted(submission(with_fields(*[f"X-{n}: {'y' * 60}" for n in range(300)])))
        self.assertEqual(["examine"], self.in_threads)

    def test_large_content(self) -> None:
        """So is a large message, and its fingerprint is taken in a thread as well."""
        octets = MAIL + b"x" * 76 + b"\r\n" * 600_000
        self.accepted(submission(octets, idempotency_key="order-5512"))
        self.assertEqual(["examine", "_fingerprint"], self.in_threads)


class IdempotencyTests(IntakeCase):
    """The same submission again."""

    KEY = "order-5512"

    def test_same_answer(self) -> None:
        """The same key with the same submission gives the same ids and stores nothing."""
        what = submission(MAIL, "a@x.example", "b@y.example", idempotency_key=self.KEY)
        first = self.accepted(what)
        self.now += DAY - 1
        self.assertEqual(first, self.accepted(what))
        self.assertEqual(2, len(self.stored()))
        self.assertEqual(1, len(self.announced))

    def test_after_a_restart(self) -> None:
        """It holds when the process was started again in between."""
        what = submission(idempotency_key=self.KEY)
        first = self.accepted(what)
        self.new_intake()
        self.assertEqual(first, self.accepted(what))
        self.assertEqual([], self.announced)

    def test_header(self) -> None:
        """The key may stand in a header; the one of the call comes first."""
        what = submission(with_fields(f"X-SMTPeter-Idempotency-Key: {self.KEY}"))
        self.assertEqual(self.accepted(what).ids, self.accepted(what).ids)
        other = evolve(what, idempotency_key="order-5513")
        self.assertNotEqual(self.accepted(what).ids, self.accepted(other).ids)

    def test_another_submission(self) -> None:
        """The same key with anything else is refused, and nothing is stored."""
        what = submission(MAIL, "a@x.example", "b@y.example", idempotency_key=self.KEY)
        self.accepted(what)
        envelope = what.envelope
        first, second = envelope.recipients
        for other in (
            evolve(what, content=Content.from_octets(MAIL + b"P.S.\r\n")),
            evolve(what, overrides=Overrides(trackopens=True)),
            evolve(what, deliver_by=NOW + 60),
            evolve(what, envelope=evolve(envelope, sender=None)),
            evolve(what, envelope=evolve(envelope, recipients=(first,))),
            evolve(what, envelope=evolve(envelope, recipients=(second, first))),
            evolve(
                what,
                envelope=evolve(
                    envelope, recipients=(evolve(first, notify=frozenset({"NEVER"})), second)
                ),
            ),
        ):
            reply, status = self.refused(other)
            self.assertEqual(("554 5.5.4", 409), (reply[:9], status))
        self.assertEqual(2, len(self.stored()))

    def test_wishes_in_another_order(self) -> None:
        """Wishes for notifications are a set: their order makes no other submission."""
        ids = set()
        for wishes in (["DELAY", "FAILURE", "SUCCESS"], ["SUCCESS", "DELAY", "FAILURE"]):
            what = submission(idempotency_key=self.KEY)
            recipient = evolve(what.envelope.recipients[0], notify=frozenset(wishes))
            what = evolve(what, envelope=evolve(what.envelope, recipients=(recipient,)))
            ids.add(self.accepted(what).ids)
        self.assertEqual(1, len(ids))

    def test_blocks(self) -> None:
        """How the content came in pieces makes no other submission."""
        whole = submission(idempotency_key=self.KEY)
        cut = evolve(whole, content=Content.from_blocks([MAIL[:-5], MAIL[-5:]]))
        self.assertEqual(self.accepted(whole).ids, self.accepted(cut).ids)

    def test_accounts(self) -> None:
        """The keys of one account are nothing to another."""
        what = submission(idempotency_key=self.KEY)
        first = self.accepted(what)
        second = self.accepted(what, self.who(account=self.other))
        self.assertNotEqual(first.ids, second.ids)

    def test_after_a_day(self) -> None:
        """After a day the key is free again, also for another submission."""
        first = self.accepted(submission(idempotency_key=self.KEY))
        self.now += DAY
        second = self.accepted(submission(MAIL + b"P.S.\r\n", idempotency_key=self.KEY))
        self.assertNotEqual(first.ids, second.ids)
        self.assertEqual(2, len(self.stored()))

    def twins(self, *submissions: Submission) -> list[Deferred[Accepted]]:
        """Submissions at the same moment, each step of which waits for the other's."""
        self.store_.prompt = False
        twins = [self.submit(each) for each in submissions]
        while self.store_.asked:
            self.store_.answer_one()
        return twins

    def test_twins(self) -> None:
        """Of the same request twice at one moment one is stored, and both get its answer."""
        what = submission(idempotency_key=self.KEY)
        first, second = self.twins(what, what)
        self.assertEqual(self.successResultOf(first).ids, self.successResultOf(second).ids)
        self.assertEqual(1, len(self.stored()))
        self.assertEqual(1, len(self.announced))

    def test_twins_that_differ(self) -> None:
        """Of two submissions under one key at one moment one is stored, the other refused."""
        first, second = self.twins(
            submission(idempotency_key=self.KEY),
            submission(MAIL + b"P.S.\r\n", idempotency_key=self.KEY),
        )
        self.successResultOf(first)
        self.assertEqual(409, self.failureResultOf(second, Refused).value.status)
        self.assertEqual(1, len(self.stored()))

    def test_twins_after_a_day(self) -> None:
        """The same holds when an old answer to the key is in the way of both."""
        what = submission(idempotency_key=self.KEY)
        self.accepted(what)
        self.now += DAY
        first, second = self.twins(what, what)
        self.assertEqual(self.successResultOf(first).ids, self.successResultOf(second).ids)
        self.assertEqual(2, len(self.stored()))

    def test_failed(self) -> None:
        """A submission that could not be stored does not use up its key."""
        what = submission(idempotency_key=self.KEY)
        self.store_.trouble = StoreUnavailable("away")
        self.refused(what)
        self.store_.trouble = None
        self.assertEqual(1, len(self.accepted(what).ids))


class AnyHeaderTests(SynchronousTestCase):
    """Whatever a client sends."""

    @given(st.binary(max_size=200))
    def test_octets_stay_together(self, octets: bytes) -> None:
        """What was submitted is stored in one piece, behind what was supplied."""
        case = IntakeCase()
        stored: list[Content] = []
        store = OpenStore(None)  # type: ignore[arg-type]
        self.patch(store, "_add", lambda _: None)
        intake = new_intake(
            store, lambda _, content: stored.append(content), case.in_thread, lambda: NOW
        )
        what = submission(b"From: noor@shop.example\r\nX-A: " + octets)
        self.successResultOf(intake.submit(SenderInfo(1, "smtp", "noor", Features()), what))
        self.assertTrue(bytes(stored[0]).endswith(bytes(what.content)))
        self.assertEqual(
            stored[0].header[-4:] == b"\r\n\r\n", what.content.header[-4:] == b"\r\n\r\n"
        )
