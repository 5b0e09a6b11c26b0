"""Make a message of its parts: addresses, texts, attachments (RFC 5322, RFC 2045, RFC 2046)."""

from __future__ import annotations

import binascii
import mimetypes
import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import format_datetime

from attrs import field

from smtpeter.message import headers, quotedprintable
from smtpeter.message.address import Mailbox
from smtpeter.message.addresslist import NamedMailbox
from smtpeter.message.content import Content
from smtpeter.values import frozen

LINE_OCTETS = 998  # RFC 5322 section 2.1.1
BASE64_LINE_CHARACTERS = 76  # RFC 2045 section 6.8

_NEWLINE = re.compile(r"\r\n|\r|\n")
_UNSAFE = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_NON_ASCII = bytes(range(0x80, 0x100))
_NAME = r"[A-Za-z0-9!#$&^_.+\-]{1,127}"
_MEDIA_TYPE = re.compile(
    rf"{_NAME}/{_NAME}(?:; ?{_NAME}=(?:{_NAME}|\"[ !#-\[\]-~]{{0,127}}\")){{0,9}}\Z"
)
_URI = re.compile(r"https?://[!#-;=?-~]+\Z", re.IGNORECASE)
_TYPES = mimetypes.MimeTypes()


class ComposeError(headers.HeaderError):
    """The parts make no message; the message of the exception says why."""


class AttachmentError(ComposeError):
    """An attachment cannot stand in a message; the message of the exception says why."""


@frozen
class Attachment:
    """
    A file that goes with a message.

    Attributes:
        name: the file name shown to the recipient, "" for none.
        type: a media type such as "application/pdf"; "" to tell it by the name.
    """

    name: str
    type: str
    octets: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        """The media type given, or else the one that fits the name."""
        return self.type or _TYPES.guess_type(self.name)[0] or "application/octet-stream"


@frozen
class Unsubscribe:
    """
    How a recipient leaves a list (RFC 2369 section 3.2, RFC 8058).

    Attributes:
        url: absolute, http or https, in ASCII; "" for none.
        oneclick: a POST to the URL is enough; needs https.
    """

    email: Mailbox | None = None
    url: str = ""
    oneclick: bool = False


@frozen
class Draft:
    """
    The parts of a message.

    Attributes:
        text: the plain text; None for no such part.
        html: the HTML; None for no such part.
        extra: further header fields, name and value, in order.
    """

    sender: NamedMailbox
    to: tuple[NamedMailbox, ...] = ()
    cc: tuple[NamedMailbox, ...] = ()
    reply_to: tuple[NamedMailbox, ...] = ()
    subject: str = ""
    text: str | None = field(default=None, repr=False)
    html: str | None = field(default=None, repr=False)
    unsubscribe: Unsubscribe | None = None
    extra: tuple[tuple[str, str], ...] = ()
    attachments: tuple[Attachment, ...] = ()

    @property
    def needs_smtputf8(self) -> bool:
        """True when an address in the header cannot be written in ASCII (RFC 6532)."""
        named = (self.sender, *self.to, *self.cc, *self.reply_to)
        return any(each.mailbox.needs_smtputf8 for each in named)


def compose(draft: Draft, unique: str, date: datetime | None) -> Content:
    """
    Write the message.

    Args:
        unique: a token of letters and digits that no other message has and nobody can
            guess: it makes the Message-ID and the boundaries between the parts.
        date: aware; None to leave the Date field to whoever takes the message on.

    Raises:
        ComposeError: a value cannot stand in a message; `AttachmentError` for attachments.
        HeaderError: the same, for a value of a header field.
        HeaderTooLarge: the header fields together are longer than `content` can hold.
    """
    written = "".join(_header(draft, unique, date)).encode()
    return Content.from_octets(b"".join([written, *_body(draft, unique)]))


def unsubscribe_fields(unsubscribe: Unsubscribe) -> str:
    """
    Write List-Unsubscribe and, for one click, List-Unsubscribe-Post, each with its CRLF.

    Raises:
        ComposeError: there is neither address nor URL, or the URL does not do.
    """
    uris = [] if unsubscribe.email is None else [headers.mailto(unsubscribe.email)]
    if unsubscribe.url:
        if not _URI.match(unsubscribe.url) or len(unsubscribe.url) > headers.WORD_CHARACTERS:
            raise ComposeError(
                "the url to unsubscribe must be an absolute http or https URL of at most "
                f"{headers.WORD_CHARACTERS} visible ASCII characters"
            )
        uris.append(unsubscribe.url)
    if not uris:
        raise ComposeError("unsubscribing takes an email or a url")
    written = headers.uri_list_field("List-Unsubscribe", uris)
    if unsubscribe.oneclick:
        if not unsubscribe.url.lower().startswith("https:"):
            raise ComposeError("unsubscribing with one click takes an https url")
        written += "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    return written


def _header(draft: Draft, unique: str, date: datetime | None) -> Iterator[str]:
    if date is not None:
        yield f"Date: {format_datetime(date)}\r\n"
    yield headers.address_field("From", [draft.sender])
    for name, mailboxes in (("To", draft.to), ("Cc", draft.cc), ("Reply-To", draft.reply_to)):
        if mailboxes:
            yield headers.address_field(name, mailboxes)
    yield headers.text_field("Subject", draft.subject)
    yield f"Message-ID: <{unique}@{draft.sender.mailbox.domain_key}>\r\n"
    yield "MIME-Version: 1.0\r\n"
    if draft.unsubscribe is not None:
        yield unsubscribe_fields(draft.unsubscribe)
    for name, value in draft.extra:
        yield headers.text_field(headers.checked_name(name), value)


def _body(draft: Draft, unique: str) -> list[bytes]:
    """Return the entity in pieces: its own header fields, an empty line, what it holds."""
    parts = []
    if draft.text is not None or draft.html is None:
        parts.append(_text_part("plain", draft.text or ""))
    if draft.html is not None:
        parts.append(_text_part("html", draft.html))
    body = parts[0] if len(parts) == 1 else _multipart("alternative", f"=_{unique}a", parts)
    if not draft.attachments:
        return body
    return _multipart("mixed", f"=_{unique}m", [body, *map(_attachment_part, draft.attachments)])


def _multipart(subtype: str, boundary: str, parts: list[list[bytes]]) -> list[bytes]:
    pieces = [f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n'.encode()]
    for part in parts:
        pieces += [f"\r\n--{boundary}\r\n".encode(), *part]
    return [*pieces, f"\r\n--{boundary}--\r\n".encode()]


def _text_part(subtype: str, text: str) -> list[bytes]:
    octets = _NEWLINE.sub("\n", text).encode()
    if octets and not octets.endswith(b"\n"):
        octets += b"\n"
    encoding, encoded = _encoded_text(octets)
    fields = f"Content-Type: text/{subtype}; charset=utf-8\r\n{_encoding_field(encoding)}\r\n"
    return [fields.encode(), encoded]


def _encoding_field(encoding: str) -> str:
    return f"Content-Transfer-Encoding: {encoding}\r\n"


def _encoded_text(octets: bytes) -> tuple[str, bytes]:
    """
    Choose the encoding for text whose lines end with LF.

    Quoted-printable triples what is not ASCII, base64 adds a third to everything.
    """
    if _is_seven_bit(octets):
        return "7bit", octets.replace(b"\n", b"\r\n")
    non_ascii = len(octets) - len(octets.translate(None, _NON_ASCII))
    if non_ascii * 6 > len(octets):
        return "base64", _base64(octets.replace(b"\n", b"\r\n"))
    return "quoted-printable", quotedprintable.encoded(octets.replace(b"\n", b"\r\n"))


def _is_seven_bit(octets: bytes) -> bool:
    """Return whether octets with LF line ends may travel as they are (RFC 2045 section 2.7)."""
    if not octets.isascii() or _UNSAFE.search(octets):
        return False
    return max(map(len, octets.split(b"\n"))) <= LINE_OCTETS


def _base64(octets: bytes) -> bytes:
    encoded = binascii.b2a_base64(octets, newline=False)
    starts = range(0, len(encoded), BASE64_LINE_CHARACTERS)
    lines = [encoded[start : start + BASE64_LINE_CHARACTERS] for start in starts]
    return b"\r\n".join([*lines, b""])


def _attachment_part(attachment: Attachment) -> list[bytes]:
    media_type = attachment.media_type
    if not _MEDIA_TYPE.match(media_type):
        raise AttachmentError(f"{media_type[:100]!r} is no media type such as application/pdf")
    if media_type.lower().startswith("multipart/"):
        raise AttachmentError("a multipart type cannot be attached")
    try:
        disposition = headers.attachment_field(attachment.name)
    except headers.HeaderError as error:
        raise AttachmentError(str(error)) from None
    if media_type.lower().startswith("message/"):
        encoding, encoded = _attached_message(attachment.octets)
    else:
        encoding, encoded = "base64", _base64(attachment.octets)
    content_type = headers.folded("Content-Type", media_type.split(" "))
    return [f"{content_type}{disposition}{_encoding_field(encoding)}\r\n".encode(), encoded]


def _attached_message(octets: bytes) -> tuple[str, bytes]:
    """Write a message as it is, since it may not be encoded (RFC 2046 section 5.2.1)."""
    lines = octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    if max(map(len, lines)) > LINE_OCTETS or b"\0" in octets:
        raise AttachmentError(f"an attached message has a NUL or a line over {LINE_OCTETS} octets")
    return "7bit" if octets.isascii() else "8bit", b"\r\n".join(lines)
