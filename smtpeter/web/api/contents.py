"""What is sent: a complete message, or the parts to make one of. Pure."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from smtpeter.message.address import AddressError, Mailbox
from smtpeter.message.addresslist import NamedMailbox
from smtpeter.message.compose import (
    Attachment,
    AttachmentError,
    Draft,
    Unsubscribe,
    compose,
    unsubscribe_fields,
)
from smtpeter.message.content import HEADER_OCTETS, Content, HeaderTooLarge
from smtpeter.message.headers import HeaderError
from smtpeter.values import frozen
from smtpeter.web.api.fields import Fields, boolean, mailboxes, mapping, text
from smtpeter.web.problem import Problem, json_type, shown

_WHITE_SPACE = b" \t\r\n"


@frozen
class Written:
    """
    A message, and whether its header needs SMTPUTF8 (RFC 6532).

    Attributes:
        complete: its header fields were made here; nothing is to be added.
    """

    content: Content
    needs_smtputf8: bool
    complete: bool


def written(fields: Fields, unique: str, date: datetime | None) -> Written:
    """
    Return the message that the fields give.

    Args:
        unique: as for `compose`.
        date: as for `compose`.

    Raises:
        Problem: there is none, or a field is not valid.
    """
    mime = text(fields, "mime")
    try:
        if mime:
            return Written(_from_mime(mime, _unsubscribe(fields)), False, False)
        draft = _draft(fields)
        return Written(compose(draft, unique, date), draft.needs_smtputf8, True)
    except AttachmentError as error:
        raise _invalid_attachment(str(error)) from None
    except HeaderError as error:
        raise Problem(400, f"Invalid message: {error}") from None
    except HeaderTooLarge:
        reason = f"its header is longer than {HEADER_OCTETS} octets"
        raise Problem(400, f"Invalid message: {reason}") from None


def _from_mime(mime: str, unsubscribe: Unsubscribe | None) -> Content:
    """Empty lines before the header would end it, and are dropped."""
    content = Content.from_octets(mime.lstrip("\r\n").encode())
    if unsubscribe is None or any(each.name == "list-unsubscribe" for each in content.fields()):
        return content
    return content.prepended(unsubscribe_fields(unsubscribe).encode())


def _draft(fields: Fields) -> Draft:
    plain, html = text(fields, "text"), text(fields, "html")
    if not fields.get("from") or (plain is None and html is None):
        text_of_problem = "No message content: give mime, template, or from with text or html"
        raise Problem(400, text_of_problem)
    mailboxes(fields, "bcc")  # accepted and checked; it names no recipient and no header
    return Draft(
        sender=_sender(fields),
        to=mailboxes(fields, "to"),
        cc=mailboxes(fields, "cc"),
        reply_to=mailboxes(fields, "replyto"),
        subject=text(fields, "subject") or "",
        text=plain if plain or not html else None,
        html=html or None,
        unsubscribe=_unsubscribe(fields),
        extra=tuple(_extra(fields)),
        attachments=tuple(_attachments(fields)),
    )


def _sender(fields: Fields) -> NamedMailbox:
    try:
        (sender,) = mailboxes(fields, "from")
    except (Problem, ValueError):
        text_of_problem = "The from field must contain exactly one email address"
        raise Problem(400, text_of_problem) from None
    return sender


def _extra(fields: Fields) -> list[tuple[str, str]]:
    headers = []
    for name, value in mapping(fields, "extra").items():
        if not name.lower().startswith("x-"):
            raise Problem(400, f"Extra headers must start with x-: {shown(name)}")
        if isinstance(value, (dict, list)) or value is None:
            kind = json_type(value)
            raise Problem(400, f"The extra header {shown(name)} must be a string, not {kind}")
        headers.append((name, value if isinstance(value, str) else str(value).lower()))
    return headers


def _unsubscribe(fields: Fields) -> Unsubscribe | None:
    given = mapping(fields, "unsubscribe")
    if not given:
        return None
    email, url = text(given, "email"), text(given, "url")
    oneclick = given.get("oneclick", given.get("one-click", False))
    try:
        mailbox = Mailbox.parse(email.strip(" \t")) if email else None
    except AddressError as error:
        text_of_problem = f"Invalid message: the email to unsubscribe is no address: {error}"
        raise Problem(400, text_of_problem) from None
    return Unsubscribe(mailbox, url or "", boolean(oneclick, "oneclick"))


def _attachments(fields: Fields) -> list[Attachment]:
    given: Any = fields.get("attachments") or []
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise _invalid_attachment(f"attachments must be an array, not {json_type(given)}")
    return [_attachment(number, each) for number, each in enumerate(given, 1)]


def _attachment(number: int, given: object) -> Attachment:
    if not isinstance(given, dict):
        raise _invalid_attachment(f"number {number} must be an object, not {json_type(given)}")
    strings = {key: given.get(key) or "" for key in ("name", "type", "data", "url")}
    for key, value in strings.items():
        if not isinstance(value, str):
            kind = json_type(value)
            raise _invalid_attachment(f"{key} of number {number} must be a string, not {kind}")
    if strings["url"] and given.get("data") is not None:
        raise _invalid_attachment(f"number {number} has both data and url")
    if strings["url"]:
        raise _invalid_attachment(
            f"number {number} has a url, which is not available yet; use data"
        )
    if given.get("data") is None:
        raise _invalid_attachment(f"number {number} has no data")
    try:
        data = strings["data"].encode("ascii").translate(None, _WHITE_SPACE)
        octets = base64.b64decode(data, validate=True)
    except ValueError:
        raise _invalid_attachment(f"the data of number {number} is not base64") from None
    return Attachment(strings["name"], strings["type"], octets)


def _invalid_attachment(reason: str) -> Problem:
    return Problem(400, f"Invalid attachment: {reason}")
