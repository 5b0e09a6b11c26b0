"""What a client hands over: an envelope, the content in it, and what it wishes for both."""

from __future__ import annotations

from attrs import field

from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content
from smtpeter.message.features import Features, Overrides
from smtpeter.values import frozen

NEVER = frozenset({"NEVER"})
DEFAULT_NOTIFY = frozenset({"FAILURE"})


@frozen
class Recipient:
    """
    One forward-path with the wishes of RFC 3461 that came with it.

    Attributes:
        written: the address exactly as the client wrote it.
        notify: NEVER alone, or some of SUCCESS, FAILURE, DELAY; None when not said.
        orcpt: the original recipient, such as "rfc822;kees@mailbox.example", decoded; or None.
    """

    mailbox: Mailbox
    written: str
    notify: frozenset[str] | None = None
    orcpt: str | None = None


@frozen
class Envelope:
    """
    A reverse-path, one or more recipients, and the wishes of the MAIL command.

    Attributes:
        sender: the reverse-path; None is the null path `<>`.
        ret: "FULL" or "HDRS" (RFC 3461 section 4.3); None when not said.
        envid: the envelope identifier, decoded from xtext; None when not said.
        eightbit: octets above 127 are in the content, declared or not (RFC 6152).
        smtputf8: the client asked for SMTPUTF8 (RFC 6531).
    """

    sender: Mailbox | None
    recipients: tuple[Recipient, ...]
    ret: str | None = None
    envid: str | None = None
    eightbit: bool = False
    smtputf8: bool = False


@frozen
class Trace:
    """
    Where a submission came from: what its Received field will tell (RFC 5321 section 4.4).

    Attributes:
        helo: the name the client gave, or "" over REST.
        address: the client's IP address.
        protocol: the value of "with", such as ESMTPSA (RFC 3848) or HTTPS.
    """

    helo: str
    address: str
    protocol: str


@frozen
class Submission:
    """
    One message as either front door hands it over.

    Attributes:
        overrides: what the fields of a REST call say about the features.
        deliver_by: seconds since the epoch after which no attempt is made; None for the default.
        idempotency_key: the same key with the same submission gives the same answer again.
        add_mime_version: a missing MIME-Version is added, as Date and Message-ID always are.
    """

    envelope: Envelope
    content: Content = field(repr=False)
    trace: Trace
    overrides: Overrides = Overrides()
    deliver_by: float | None = None
    idempotency_key: str | None = None
    template_id: int = 0
    add_mime_version: bool = False


@frozen
class Accepted:
    """
    The answer to a submission that is safely stored.

    Attributes:
        ids: a message id for each recipient, in the order of the recipients.
        features: what was decided for the messages.
        suppressed: the ids of messages that are not sent, since the account's suppression list
            has their recipients.
    """

    ids: tuple[str, ...]
    features: Features
    suppressed: frozenset[str] = frozenset()
