"""What a message turned out to be that came back, or that came in answer to ours."""

from __future__ import annotations

import enum

from attrs import field

from smtpeter.values import frozen


@frozen
class Returned:
    """
    The header of the message that came back, as far as it was sent along.

    Attributes:
        fields: names in lower case and unfolded values, in the order in which they stand.
    """

    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def all(self, name: str) -> tuple[str, ...]:
        """The values of all fields of this name, in lower case."""
        return tuple(value for each, value in self.fields if each == name)

    def first(self, name: str) -> str:
        """The value of the first field of this name, in lower case; "" for none."""
        return next((value for each, value in self.fields if each == name), "")


class ReportedAction(enum.Enum):
    """What another server did with a message for one recipient (RFC 3464 section 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@frozen
class RecipientReport:
    """
    What another server says about one recipient.

    Attributes:
        recipient: the address that it tried, "" when it does not say; not checked to be one.
        original: the address that it was given first, "" when it does not say.
        status: the enhanced status code, such as "5.1.1", as it was reported; "" when a report
            has none. A message in a private format gets the one that its words mean.
        exact: the same where it says more than its class. Where it does not, the one in the
            diagnostic, or the one that its words mean; never empty when somebody reported it.
        code: the SMTP reply code, 0 when none was quoted.
        diagnostic: what was said about the failure, on one line.
        remote_mta: the host that said it, "" when unknown.
    """

    action: ReportedAction
    recipient: str = ""
    original: str = ""
    status: str = ""
    exact: str = ""
    code: int = 0
    diagnostic: str = ""
    remote_mta: str = ""

    @property
    def address(self) -> str:
        """The address as the sender of the message knew it, as far as that was said."""
        return self.original or self.recipient

    @property
    def permanent(self) -> bool:
        """
        True when the same message would fail again.

        It failed, and not because of a transient condition that lasted too long (RFC 3463
        section 2, class 4).
        """
        return self.action is ReportedAction.FAILED and self.exact[:1] == "5"


@frozen
class DeliveryReport:
    """
    A delivery status notification (RFC 3464, RFC 6533).

    Attributes:
        envelope_id: the ENVID of the original, "" when none was given.
        reporting_mta: the host that made the report.
        recipients: one or more.
    """

    envelope_id: str
    reporting_mta: str
    recipients: tuple[RecipientReport, ...]
    returned: Returned = Returned()


@frozen
class PrivateError:
    """
    A message about a failure in a format of somebody's own.

    Attributes:
        format: whose, such as "qmail"; "" for one that is not known.
        recipients: none when nothing could be read; one without an address when the
            failure is known and the recipient is not.
    """

    format: str
    recipients: tuple[RecipientReport, ...]
    returned: Returned = Returned()


_NO_OBJECTIONS = frozenset({"not-spam", "auth-failure", "dmarc"})


@frozen
class Complaint:
    """
    A report of abuse (RFC 5965).

    Attributes:
        feedback_type: in lower case, such as "abuse", "fraud" or "not-spam".
        recipients: who complained, as far as it was told.
        mail_from: the reverse-path of the reported message, "" when unknown.
        envelope_id: the ENVID of the reported message, "" when unknown.
        source: the IP address that sent the reported message, "" when unknown.
        user_agent: what made the report.
    """

    feedback_type: str
    recipients: tuple[str, ...] = ()
    mail_from: str = ""
    envelope_id: str = ""
    source: str = ""
    user_agent: str = ""
    returned: Returned = Returned()

    @property
    def objects(self) -> bool:
        """False for reports that blame no sender: it is no spam (RFC 6430), or was forged."""
        return self.feedback_type not in _NO_OBJECTIONS


@frozen
class AggregateReport:
    """
    A DMARC aggregate report (RFC 7489 section 7.2).

    Attributes:
        email: whom the report names as its contact.
        begin: of the period, seconds since the epoch; 0 when it is not said.
        end: the same for its end.
        domain: what the report is about, in lower case.
        sending_domain: the domain whose receiver made it, in lower case.
        messages: how many that receiver got.
        failed_spf: of these, the messages that failed DMARC's test of SPF.
        failed_dkim: the same for DKIM.
        xml: the document itself.
    """

    organization_name: str
    email: str
    report_id: str
    begin: int
    end: int
    domain: str
    sending_domain: str
    messages: int
    failed_spf: int
    failed_dkim: int
    xml: bytes = field(repr=False)


class AutomaticKind(enum.Enum):
    """What sort of automatic response it is."""

    REPLY = "reply"  # somebody is away, or mail was received
    CHALLENGE = "challenge"  # the sender shall prove to be a person
    RECEIPT = "receipt"  # a message disposition notification (RFC 8098)


@frozen
class AutomaticResponse:
    """
    A response of a program that says nothing about a delivery (RFC 3834).

    Attributes:
        evidence: what it was known by, such as "auto-submitted" or "subject".
    """

    kind: AutomaticKind
    evidence: str


@frozen
class OtherMessage:
    """What a person wrote, or what is of no known kind."""


Recognised = (
    DeliveryReport | PrivateError | Complaint | AggregateReport | AutomaticResponse | OtherMessage
)
