"""What follows from an attempt: the message's next state, its event, a report. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from attrs import evolve

from smtpeter.delivery.classification import classify
from smtpeter.delivery.schedule import Schedule
from smtpeter.message.envelope import DEFAULT_NOTIFY
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.store.events import Event
from smtpeter.store.messages import Message, State
from smtpeter.transform.draft import Run, written_runs
from smtpeter.values import frozen

PROBLEM_CHARACTERS = 500
KINDS = {State.DELIVERED: "delivery", State.FAILED: "failure", State.WAITING: "deferral"}


@frozen
class Judgement:
    """
    What an attempt led to.

    Attributes:
        outcome: of the attempt; for a message given up, that it expired.
        due: when the next attempt is made; without meaning for a final state.
        action: what a report tells the sender (RFC 3464 section 2.3.3), or "" for no report.
    """

    state: State
    outcome: Outcome
    due: float
    action: str = ""


def judge(
    message: Message,
    outcome: Outcome,
    schedule: Schedule,
    *,
    now: float,
    jitter: float,
    delay_notice_seconds: float,
    retry_at: float | None = None,
) -> Judgement:
    """
    What follows for a message from the outcome of an attempt that ended now.

    Args:
        retry_at: when its receiver wants it to come again, if it said so.
    """
    if outcome.verdict is Verdict.DELIVERED:
        told = _wants(message, "SUCCESS") and not outcome.dsn_passed_on
        # RFC 3464 section 2.3.3: beyond a server without DSN nobody knows what becomes of it
        action = "delivered" if outcome.final else "relayed"
        return Judgement(State.DELIVERED, outcome, now, action if told else "")
    if outcome.verdict is Verdict.FAILED:
        return failed(message, outcome, now)
    due = schedule.next_attempt(
        message.attempts + 1, now, message.parcel.deliver_by, jitter, retry_at
    )
    if due is None:
        return Judgement(State.FAILED, _given_up(outcome), now, _failed(message))
    delayed = _wants(message, "DELAY") and _crosses(message, now, delay_notice_seconds)
    return Judgement(State.WAITING, outcome, due, "delayed" if delayed else "")


def failed(message: Message, outcome: Outcome, now: float) -> Judgement:
    """What follows for a message that has failed for good."""
    return Judgement(State.FAILED, outcome, now, _failed(message))


def expired() -> Outcome:
    """The outcome for a message whose time was over before an attempt began."""
    text = "The time for delivering the message is over"
    return _before_the_attempt(Verdict.FAILED, "timeout", "4.4.7", text)


def content_gone() -> Outcome:
    """The outcome for a message whose content is not kept any more."""
    text = "The content of the message is no longer kept"
    return _before_the_attempt(Verdict.FAILED, "error", "5.3.0", text)


def suppressed(reason: str, since: float) -> Outcome:
    """
    The outcome for a message whose recipient is on the suppression list of its account.

    Args:
        reason: why it is there: "mailbox", "complaint" or "manual".
        since: seconds since the epoch.
    """
    day = datetime.fromtimestamp(since, UTC).date().isoformat()
    text = f"Recipient is on the suppression list ({reason}, since {day})"
    return _before_the_attempt(Verdict.FAILED, "error", "5.7.1", text)


def held_up() -> Outcome:
    """What is told of a message for which no attempt has been made for long."""
    text = "The message has to wait before it can be delivered"
    return _before_the_attempt(Verdict.DEFERRED, "timeout", "4.4.7", text)


def fault_of_ours() -> Outcome:
    """The outcome of an attempt that a fault of this program prevented."""
    return _before_the_attempt(Verdict.DEFERRED, "error", "4.3.0", "Internal error")


def _before_the_attempt(verdict: Verdict, kind: str, status: str, text: str) -> Outcome:
    """What ended in this house, without a word from the receiver."""
    return Outcome(verdict, type=kind, state="process", code=0, status=status, text=text)


def _given_up(outcome: Outcome) -> Outcome:
    """It was our clock that ended it; what the receiver said last is kept."""
    return evolve(outcome, verdict=Verdict.FAILED, type="timeout", state="process")


def _wants(message: Message, condition: str) -> bool:
    notify = message.recipient.notify
    return condition in (DEFAULT_NOTIFY if notify is None else notify)


def _failed(message: Message) -> str:
    return "failed" if _wants(message, "FAILURE") else ""


def _crosses(message: Message, now: float, delay_notice_seconds: float) -> bool:
    """True for the first attempt that ends after the time for a notice of delay."""
    notice = message.parcel.received + delay_notice_seconds
    return (message.attempted or message.parcel.received) < notice <= now


def event_of(message: Message, judged: Judgement, now: float, runs: Sequence[Run] = ()) -> Event:
    """
    The event that tells of it.

    Args:
        runs: of the stages that the message went through.
    """
    outcome = judged.outcome
    details = {
        "attempt": str(message.attempts),
        "from": outcome.local_address,
        "to": outcome.remote_address,
        "host": outcome.host,
        "tls": outcome.tls,
        "code": str(outcome.code),
        "status": outcome.status,
        "description": outcome.text,
    }
    if judged.state is not State.DELIVERED:
        said = (outcome.code, outcome.status, outcome.text, outcome.state)
        meaning = classify(*said).value
        source = "session" if outcome.code else "here"
        details |= {
            "type": outcome.type,
            "state": outcome.state,
            "class": meaning,
            "source": source,
        }
    if runs:
        details["stages"] = written_runs(runs)
    return message_event(message, KINDS[judged.state], now, details)


def skipped_event(message: Message, run: Run, now: float) -> Event:
    """The event of a stage whose work a message goes without."""
    details = {"stage": run.stage, "description": run.problem[:PROBLEM_CHARACTERS]}
    return message_event(message, "transform", now, details)


def message_event(message: Message, kind: str, now: float, details: dict[str, str]) -> Event:
    """An event of a message, with what the message itself has to tell."""
    parcel = message.parcel
    return Event(
        time=now,
        kind=kind,
        account_id=parcel.account_id,
        message=message.id,
        envelope=parcel.reverse_path,
        recipient=str(message.recipient.mailbox),
        tags=parcel.tags,
        template_id=parcel.template_id,
        details=details,
    )
