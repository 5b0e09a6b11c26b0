"""What comes back, and the message that it is about."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from smtpeter.message.content import Content
from smtpeter.message.features import Features
from smtpeter.store import messages
from smtpeter.store.accounts import add_account
from smtpeter.store.arrivals import Arrival, Purpose, additions
from smtpeter.store.messages import Message, State
from tests.store.cases import NOW, message, parcel

RECIPIENT = "kees@mailbox.example"
SENDER = "noor@shop.example"
BOUNCE = "cmq4h6z2hitt2boepmkflzuwyfwzurnt@bounces.shop.example"
CAME = NOW + 60

REPORT = """\
From: Mail Delivery System <MAILER-DAEMON@mx.mailbox.example>
To: <{bounce}>
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

This is the mail system at host mx.mailbox.example.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.mailbox.example

Final-Recipient: rfc822; {failed}
Action: {action}
Status: {status}
Remote-MTA: dns; store.mailbox.example
Diagnostic-Code: smtp; {diagnostic}

--b1
Content-Type: text/rfc822-headers

From: <noor@shop.example>
Subject: Your order

--b1--
"""
QMAIL = """\
From: MAILER-DAEMON@mailbox.example
To: <{bounce}>
Subject: failure notice

Hi. This is the qmail-send program at mailbox.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<kees@mailbox.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <{bounce}>
Subject: Your order

Hello.
"""
AWAY = """\
From: Kees <kees@mailbox.example>
To: <{bounce}>
Subject: Out of office: Your order
Auto-Submitted: auto-replied

I am away until Monday.
"""
LETTER = """\
From: Kees <kees@mailbox.example>
To: <{bounce}>
Subject: Re: Your order

Thank you, it fits.
"""
COMPLAINT = """\
From: <feedback@mailbox.example>
To: <abuse@mail.relay.example>
Subject: FW: Your order
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b2"

--b2
Content-Type: text/plain

This is an email abuse report.

--b2
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Source-IP: 192.0.2.1
Original-Rcpt-To: <kees@mailbox.example>

--b2
Content-Type: message/rfc822

{marks}From: <noor@shop.example>
To: <kees@mailbox.example>
Subject: Your order

Hello.

--b2--
"""
DMARC = """\
From: <noreply@provider.example>
To: <dmarc@mail.relay.example>
Subject: Report Domain: shop.example Submitter: provider.example Report-ID: <1>
MIME-Version: 1.0
Content-Type: text/xml; name="provider.example!shop.example!1!2.xml"
Content-Disposition: attachment; filename="provider.example!shop.example!1!2.xml"

<?xml version="1.0"?>
<feedback><report_metadata><org_name>Provider</org_name><email>d@provider.example</email>
<report_id>r-1</report_id><date_range><begin>1700000000</begin><end>1700086400</end></date_range>
</report_metadata><policy_published><domain>shop.example</domain><p>none</p></policy_published>
<record><row><source_ip>192.0.2.1</source_ip><count>3</count><policy_evaluated>
<disposition>none</disposition><dkim>fail</dkim><spf>pass</spf></policy_evaluated></row>
<identifiers><header_from>shop.example</header_from></identifiers></record></feedback>
"""


def content_of(text: str, **facts: str) -> Content:
    """A message, with what is in braces filled in."""
    given = {
        "bounce": BOUNCE,
        "failed": RECIPIENT,
        "action": "failed",
        "status": "5.1.1",
        "diagnostic": f"550 5.1.1 <{RECIPIENT}>: user unknown",
        "kind": "abuse",
        "marks": "",
    }
    return Content.from_octets(text.format_map(given | facts).encode())


def original(sender: str = SENDER, *, account_id: int | None = 1, **wishes: Any) -> Message:
    """A message that was delivered with bounces tracked."""
    features = Features(trackbounces=True, tags=("spring", "nl"))
    return message(RECIPIENT, of=parcel(sender, account_id=account_id, features=features), **wishes)


def arrival(
    about: Message | None = None,
    *,
    purpose: Purpose = Purpose.BOUNCE,
    sender: str = "",
    recipient: str = BOUNCE,
    octets: int = 100,
) -> Arrival:
    """Something that came."""
    of = parcel(sender, origin="arrival", login="", received=CAME, octets=octets)
    return Arrival(of, recipient, purpose, "" if about is None else about.id)


def put_account(connection: Connection) -> int:
    return add_account(connection, SENDER, "hash", NOW).id


def put_delivered(connection: Connection, one: Message) -> None:
    """Store a message that has left."""
    changes = messages.additions(one.parcel, content_of(LETTER), [one])
    changes.append(messages.outcome(one, State.DELIVERED, due=NOW, reply="250 ok", now=NOW))
    for change in changes:
        connection.execute(change.statement, change.rows)


def put_arrival(connection: Connection, came: Arrival, content: Content) -> None:
    for change in additions(came, content):
        if change.rows:
            connection.execute(change.statement, change.rows)
