from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.judgement import (
    Judgement,
    content_gone,
    event_of,
    expired,
    failed,
    fault_of_ours,
    judge,
    suppressed,
)
from smtpeter.delivery.schedule import Schedule
from smtpeter.message.features import Features
from smtpeter.message.outcome import Outcome
from smtpeter.store.messages import Message, State
from tests.delivery.house import DEFERRED, DELIVERED, FAILED
from tests.store.cases import NOW, message, parcel

NOTICE = 4 * 3600.0
SCHEDULE = Schedule((60.0, 300.0))
WISHES = st.one_of(
    st.none(),
    st.just(frozenset({"NEVER"})),
    st.sets(st.sampled_from(["SUCCESS", "FAILURE", "DELAY"]), min_size=1).map(frozenset),
)


def judged(
    outcome: Outcome, *, after: float = 10.0, attempted: float | None = None, **wishes: object
) -> Judgement:
    """What follows for a message from an attempt so many seconds after its coming."""
    return judge(
        evolve(message(**wishes), attempted=attempted),  # type: ignore[arg-type]
        outcome,
        SCHEDULE,
        now=NOW + after,
        jitter=0.5,
        delay_notice_seconds=NOTICE,
    )


def wish(*conditions: str) -> dict[str, Any]:
    """What RCPT said about notifications."""
    return {"notify": frozenset(conditions)}


class JudgeTests(SynchronousTestCase):
    """What follows from an attempt."""

    def test_delivered(self) -> None:
        """A message that was taken is delivered, and by default nobody is told."""
        verdict = judged(DELIVERED)
        self.assertEqual((State.DELIVERED, ""), (verdict.state, verdict.action))

    def test_relayed(self) -> None:
        """Who asked for it is told of the success, unless the next server will tell."""
        self.assertEqual("relayed", judged(DELIVERED, **wish("SUCCESS")).action)
        final = evolve(DELIVERED, final=True)
        self.assertEqual("delivered", judged(final, **wish("SUCCESS")).action)
        self.assertEqual("", judged(final).action)
        passed_on = evolve(DELIVERED, dsn_passed_on=True)
        self.assertEqual("", judged(passed_on, **wish("SUCCESS")).action)

    def test_failed(self) -> None:
        """Of a failure the sender is told by default and on request, and not else."""
        self.assertEqual(State.FAILED, judged(FAILED).state)
        self.assertEqual("failed", judged(FAILED).action)
        self.assertEqual("failed", judged(FAILED, **wish("DELAY", "FAILURE")).action)
        self.assertEqual("", judged(FAILED, **wish("NEVER")).action)
        self.assertEqual("", judged(FAILED, **wish("SUCCESS")).action)

    def test_deferred(self) -> None:
        """A message that was refused for now waits for its next attempt."""
        verdict = judged(DEFERRED)
        self.assertEqual((State.WAITING, NOW + 70.0), (verdict.state, verdict.due))
        self.assertEqual(DEFERRED, verdict.outcome)

    def test_given_up(self) -> None:
        """After its time a message has failed: by our clock, with the receiver's last words."""
        verdict = judged(DEFERRED, after=86_400)
        self.assertEqual((State.FAILED, "failed"), (verdict.state, verdict.action))
        outcome = verdict.outcome
        self.assertEqual(("timeout", "process"), (outcome.type, outcome.state))
        self.assertEqual((451, "4.7.1", "later"), (outcome.code, outcome.status, outcome.text))

    def test_delay_is_told_once(self) -> None:
        """Of a delay is told who asked for it, after the first attempt that ends so late."""
        asked = wish("DELAY")
        steps = [(None, 60.0), (NOTICE - 1, NOTICE), (NOTICE - 1, NOTICE + 1)]
        actions = []
        for attempted, after in steps:
            before = attempted and NOW + attempted
            actions.append(judged(DEFERRED, after=after, attempted=before, **asked).action)
        self.assertEqual(["", "delayed", "delayed"], actions)
        later = judged(DEFERRED, after=NOTICE + 300, attempted=NOW + NOTICE, **asked)
        self.assertEqual("", later.action)
        self.assertEqual("", judged(DEFERRED, after=NOTICE, attempted=NOW + 1).action)

    def test_late_first_attempt(self) -> None:
        """A first attempt that ends late is a delay as well."""
        self.assertEqual("delayed", judged(DEFERRED, after=NOTICE, **wish("DELAY")).action)

    @given(WISHES, st.lists(st.floats(1, 7200), max_size=30))
    def test_one_notice_at_most(self, wishes: frozenset[str] | None, waits: list[float]) -> None:
        """However the attempts fall, a delay is told of at most once, and only on request."""
        told, now, attempted = [], NOW, None
        one = message(notify=wishes)
        for wait in waits:
            now += wait
            verdict = judge(
                evolve(one, attempted=attempted),
                DEFERRED,
                Schedule((60.0,)),
                now=now,
                jitter=0.5,
                delay_notice_seconds=NOTICE,
            )
            told += [verdict.action] if verdict.action == "delayed" else []
            attempted = now
            if verdict.state is not State.WAITING:
                break
        wanted = wishes is not None and "DELAY" in wishes
        self.assertLessEqual(len(told), 1 if wanted else 0)

    def test_fault_of_ours(self) -> None:
        """An attempt that a fault of ours prevented is made again later."""
        self.assertEqual(State.WAITING, judged(fault_of_ours()).state)

    def test_ends_without_attempt(self) -> None:
        """A message whose time is over, or whose content is gone, has failed."""
        self.assertEqual(State.FAILED, judged(expired()).state)
        self.assertEqual(("timeout", "process"), (expired().type, expired().state))
        self.assertEqual(State.FAILED, judged(content_gone()).state)
        self.assertEqual(("error", "process"), (content_gone().type, content_gone().state))

    def test_suppressed(self) -> None:
        """A message to a suppressed recipient has failed, and says why, and since when."""
        outcome = suppressed("complaint", NOW)
        self.assertEqual(
            ("error", "process", 0, "5.7.1"),
            (outcome.type, outcome.state, outcome.code, outcome.status),
        )
        self.assertEqual(
            "Recipient is on the suppression list (complaint, since 2023-11-14)", outcome.text
        )
        self.assertEqual(
            Judgement(State.FAILED, outcome, NOW, "failed"), failed(message(), outcome, NOW)
        )
        never = message(notify=frozenset({"NEVER"}))
        self.assertEqual("", failed(never, outcome, NOW).action)


class EventTests(SynchronousTestCase):
    """What is told of it."""

    def told(self, outcome: Outcome) -> tuple[Message, Judgement]:
        """A message of an account, and a judgement on it."""
        of = parcel(account_id=7, template_id=3, features=Features(tags=("spring", "nl")))
        return message(of=of), Judgement(State.FAILED, outcome, NOW)

    def test_message(self) -> None:
        """An event names message, account, envelope, recipient, tags and template."""
        one, verdict = self.told(FAILED)
        event = event_of(one, verdict, NOW + 3)
        self.assertEqual((NOW + 3, 7, one.id), (event.time, event.account_id, event.message))
        self.assertEqual("noor@shop.example", event.envelope)
        self.assertEqual("kees@mailbox.example", event.recipient)
        self.assertEqual(("spring;nl", 3), (event.tags, event.template_id))

    def test_details(self) -> None:
        """It tells what was said by whom, in text; a delivery has neither type nor state."""
        outcome = evolve(
            FAILED, local_address="192.0.2.1", remote_address="192.0.2.9", tls="TLSv1.3"
        )
        one, verdict = self.told(outcome)
        expected = {
            "attempt": "2",
            "from": "192.0.2.1",
            "to": "192.0.2.9",
            "host": "mx.example",
            "tls": "TLSv1.3",
            "code": "550",
            "status": "5.1.1",
            "description": "unknown",
            "type": "error",
            "state": "rcptto",
            "class": "mailbox",
            "source": "session",
        }
        event = event_of(evolve(one, attempts=2), verdict, NOW)
        self.assertEqual(("failure", expected), (event.kind, event.details))
        delivered = event_of(one, Judgement(State.DELIVERED, DELIVERED, NOW), NOW)
        self.assertEqual("delivery", delivered.kind)
        self.assertEqual("0", delivered.details["attempt"])
        self.assertFalse({"type", "state", "class"} & set(delivered.details))
        timeout = event_of(one, Judgement(State.FAILED, expired(), NOW), NOW)
        self.assertEqual("here", timeout.details["source"])
        deferral = event_of(one, Judgement(State.WAITING, DEFERRED, NOW), NOW)
        self.assertEqual(("deferral", "error"), (deferral.kind, deferral.details["type"]))
