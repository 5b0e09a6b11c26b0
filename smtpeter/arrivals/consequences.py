"""What follows from an arrival: events, whether it is sent on, a suppression. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from smtpeter.arrivals.reading import Reading
from smtpeter.delivery.judgement import message_event
from smtpeter.message.address import Mailbox
from smtpeter.message.envelope import DEFAULT_NOTIFY
from smtpeter.message.incoming.findings import (
    AggregateReport,
    AutomaticResponse,
    Complaint,
    DeliveryReport,
    PrivateError,
    ReportedAction,
)
from smtpeter.store.arrivals import Arrival, Conclusion, Purpose
from smtpeter.store.dmarc import DmarcReport
from smtpeter.store.events import Event
from smtpeter.store.messages import Message
from smtpeter.store.suppressions import (
    COMPLAINT,
    MAILBOX,
    USUAL,
    Lifetimes,
    Suppression,
    address_key,
)
from smtpeter.values import frozen

# No way to us is so long; what has come by more goes round.
LOOP_HOPS = 30
DESCRIPTION_CHARACTERS = 1000

# Which wish asks for a report of what (RFC 3461 section 4.1).
_WISHES = {
    ReportedAction.FAILED: "FAILURE",
    ReportedAction.DELAYED: "DELAY",
    ReportedAction.DELIVERED: "SUCCESS",
    ReportedAction.RELAYED: "SUCCESS",
    ReportedAction.EXPANDED: "SUCCESS",
}


@frozen
class Consequence:
    """
    What follows from an arrival.

    Attributes:
        forward_to: to whom it is sent on.
    """

    conclusion: Conclusion
    forward_to: Mailbox | None = None


def consequence(
    arrival: Arrival,
    reading: Reading,
    original: Message | None,
    *,
    postmaster: Mailbox | None = None,
    lifetimes: Lifetimes = USUAL,
) -> Consequence:
    """
    What follows.

    Args:
        original: the message that the arrival is about, None where there is none.
        postmaster: to whom goes what is for people.
        lifetimes: of suppressions.
    """
    case = _Case(arrival, reading, lifetimes)
    found = reading.found
    if isinstance(found, AggregateReport) and arrival.purpose is not Purpose.BOUNCE:
        return Consequence(Conclusion("dmarc", report=_dmarc(found, reading.document)))
    if isinstance(found, Complaint) and original is not None:
        return case.complaint(found, original)
    if arrival.purpose is Purpose.BOUNCE:
        return _UNKNOWN if original is None else case.bounce(original)
    result = "complaint" if isinstance(found, Complaint) else "mail"
    for_people = arrival.purpose is Purpose.POSTMASTER
    forward_to = case.unless_looping(postmaster if for_people else None)
    return Consequence(Conclusion(result), forward_to)


def set_aside(arrival: Arrival, original: Message | None) -> Conclusion:
    """What follows where a fault of ours kept an arrival from being read."""
    if original is None:
        return Conclusion("fault")
    details = _envelope(arrival) | {"description": "It could not be read"}
    happened = message_event(original, "bounce", arrival.parcel.received, details)
    return Conclusion("fault", original.id, (happened,))


_UNKNOWN = Consequence(Conclusion("unknown"))


@frozen
class _Case:
    """One arrival and all that is known of it."""

    arrival: Arrival
    reading: Reading
    lifetimes: Lifetimes

    @property
    def now(self) -> float:
        """When it came, and so when all happened that it leads to."""
        return self.arrival.parcel.received

    def complaint(self, found: Complaint, original: Message) -> Consequence:
        forward_to = self.sender(original) if self.arrival.purpose is Purpose.BOUNCE else None
        if not found.objects:
            return Consequence(Conclusion("feedback", original.id), forward_to)
        details = _envelope(self.arrival) | {
            "feedback": found.feedback_type,
            "emailfrom": next(iter(found.recipients), ""),
            "ip": found.source,
            "agent": found.user_agent,
        }
        happened = message_event(original, "abuse", self.now, _cut(details))
        unwanted = self.suppressed(original, COMPLAINT, f"a complaint: {found.feedback_type}")
        return Consequence(Conclusion("complaint", original.id, (happened,), unwanted), forward_to)

    def bounce(self, original: Message) -> Consequence:
        found = self.reading.found
        if isinstance(found, DeliveryReport):
            return self.report(original)
        forward_to = self.sender(original)
        if isinstance(found, PrivateError):
            happened = (self.bounced(original),)
            error = Conclusion("error", original.id, happened, self.gone(original))
            return Consequence(error, forward_to)
        kind = found.kind.value if isinstance(found, AutomaticResponse) else ""
        details = _envelope(self.arrival) | {"kind": kind}
        response = message_event(original, "response", self.now, details)
        return Consequence(Conclusion("response", original.id, (response,)), forward_to)

    def report(self, original: Message) -> Consequence:
        happened = [self.bounced(original)]
        about = self.reading.about
        if about is not None and about.action is ReportedAction.FAILED:
            happened.append(self.failed(original))
        notify = original.recipient.notify
        wished = {_WISHES[each] for each in self.reading.actions}
        wanted = wished & (DEFAULT_NOTIFY if notify is None else notify)
        forward_to = self.sender(original) if wanted else None
        report = Conclusion("report", original.id, tuple(happened), self.gone(original))
        return Consequence(report, forward_to)

    def bounced(self, original: Message) -> Event:
        return message_event(original, "bounce", self.now, _cut(self.said()))

    def failed(self, original: Message) -> Event:
        """The delivery that had gone well turns out to have failed."""
        details = self.said() | {
            "attempt": str(max(original.attempts - 1, 0)),
            "from": "",
            "to": "",
            "type": "error",
            "state": "bounce",
        }
        return message_event(original, "failure", self.now, _cut(details))

    def said(self) -> dict[str, str]:
        """What the other side has said."""
        details = _envelope(self.arrival)
        about = self.reading.about
        if about is None:
            return details
        return details | {
            "action": about.action.value,
            "class": self.reading.meaning,
            "code": str(about.code),
            "status": about.status or about.exact,
            "description": about.diagnostic,
            "host": about.remote_mta,
        }

    def gone(self, original: Message) -> tuple[int, Suppression] | None:
        if not self.reading.gone or self.reading.about is None:
            return None
        about = self.reading.about
        words = (str(about.code or ""), about.exact or about.status, about.diagnostic)
        return self.suppressed(original, MAILBOX, " ".join(filter(None, words)))

    def suppressed(
        self, original: Message, reason: str, description: str
    ) -> tuple[int, Suppression] | None:
        account = original.parcel.account_id
        if account is None:
            return None
        end = self.lifetimes.end(reason, self.now)
        key = address_key(original.recipient.mailbox)
        return account, Suppression(key, reason, description, original.id, self.now, end)

    def sender(self, original: Message) -> Mailbox | None:
        """Who handed the message in, where he wants to hear of it, and we do not go round."""
        return self.unless_looping(original.parcel.sender)

    def unless_looping(self, mailbox: Mailbox | None) -> Mailbox | None:
        return mailbox if self.reading.hops <= LOOP_HOPS else None


def _envelope(arrival: Arrival) -> dict[str, str]:
    """How it came, and where it is kept."""
    return {
        "source": "later",
        "arrival": str(arrival.parcel.key),
        "mailfrom": arrival.parcel.reverse_path,
        "rcptto": arrival.recipient,
    }


def _cut(details: Mapping[str, str]) -> dict[str, str]:
    """What strangers said, as long as anybody needs it."""
    return {name: value[:DESCRIPTION_CHARACTERS] for name, value in details.items()}


def _dmarc(found: AggregateReport, document: bytes) -> DmarcReport:
    return DmarcReport(
        organization=found.organization_name,
        email=found.email,
        report_id=found.report_id,
        begin=found.begin,
        end=found.end,
        domain=found.domain,
        sending_domain=found.sending_domain,
        messages=found.messages,
        failed_spf=found.failed_spf,
        failed_dkim=found.failed_dkim,
        document=document,
    )
