"""What the tests of reports are made of."""

from __future__ import annotations

from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content
from smtpeter.message.deliverystatus import Action, RecipientStatus
from smtpeter.message.envelope import Recipient
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.message.report import StatusReport

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 +0000
ARRIVED = NOW - 3600
ORIGINAL = Content.from_octets(
    b"From: noor@shop.example\r\nTo: kees@mailbox.example\r\nSubject: Your order\r\n"
    b"Message-ID: <1@shop.example>\r\n\r\nIt is on its way.\r\n"
)


def outcome(code: int, status: str, text: str, *, host: str = "mx.mailbox.example") -> Outcome:
    """What a server answered to RCPT."""
    return Outcome(Verdict.FAILED, "error", "rcptto", code, status, text, host)


NO_SUCH_USER = outcome(550, "5.1.1", "No such user here")
TRY_LATER = outcome(451, "4.7.1", "Greylisted")
ACCEPTED = Outcome(Verdict.DELIVERED, "", "message", 250, "", "Ok", "mx.mailbox.example")


def status(
    what: Outcome = NO_SUCH_USER,
    action: Action = Action.FAILED,
    address: str = "kees@mailbox.example",
    orcpt: str | None = None,
    retry_until: float | None = None,
) -> RecipientStatus:
    """What became of a message for one recipient."""
    recipient = Recipient(Mailbox.parse(address), address, orcpt=orcpt)
    return RecipientStatus(recipient, action, what, NOW, retry_until)


def report(
    *statuses: RecipientStatus,
    original: Content | None = ORIGINAL,
    sender: str = "noor@shop.example",
    hostname: str = "mail.relay.example",
    envid: str | None = None,
    ret: str | None = None,
) -> StatusReport:
    """A report about these recipients, or about one that does not exist."""
    return StatusReport(
        hostname=hostname,
        time=NOW,
        id="7hQx2LmPzR9aTc04",
        sender=Mailbox.parse(sender),
        statuses=statuses or (status(),),
        arrived=ARRIVED,
        original=original,
        envid=envid,
        ret=ret,
    )
