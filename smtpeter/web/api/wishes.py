"""What is wished for the way of a message: bounces, notifications, time, features. Pure."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from smtpeter.message.address import AddressError, Mailbox
from smtpeter.message.envelope import NEVER
from smtpeter.message.features import (
    MAX_TAGS,
    SWITCHES,
    Overrides,
    parse_images,
    parse_priority,
    valid_tag,
)
from smtpeter.values import frozen
from smtpeter.web.api.fields import Fields, boolean, mapping
from smtpeter.web.problem import Problem, shown

MAX_ENVID_CHARACTERS = 100  # RFC 3461 section 4.4

_OCCASIONS = frozenset({"SUCCESS", "FAILURE", "DELAY"})
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\Z")
_PRINTABLE = re.compile(r"[ -~]+\Z")
_XTEXT_ESCAPED = re.compile(r"[^!-*,-<>-~]")


@frozen
class Dsn:
    """Wishes for notifications (RFC 3461), as `Envelope` and `Recipient` have them."""

    notify: frozenset[str] | None = None
    ret: str | None = None
    envid: str | None = None
    orcpt: str | None = None


def envelope_sender(fields: Fields) -> Mailbox | None:
    """
    Return where bounces go, None when nothing is said: exactly one address, nothing around it.

    Raises:
        Problem: it is something else.
    """
    value = fields.get("envelope")
    if value is None or value == "":
        return None
    try:
        return Mailbox.parse(value.strip(" \t\r\n") if isinstance(value, str) else "")
    except AddressError:
        raise Problem(400, f"Invalid envelope address: {shown(value)}") from None


def dsn(fields: Fields) -> Dsn:
    """
    Read the wishes for notifications.

    Raises:
        Problem: one of them is unknown or not valid.
    """
    readers = {"notify": _notify, "ret": _ret, "envid": _envid, "orcpt": _orcpt}
    said: dict[str, Any] = {}
    for name, value in mapping(fields, "dsn").items():
        if name not in readers:
            raise _invalid_dsn(name)
        if value is not None:
            said[name] = readers[name](value) if isinstance(value, str) else None
            if said[name] is None:
                raise _invalid_dsn(name)
    return Dsn(**said)


def _invalid_dsn(name: str) -> Problem:
    return Problem(400, f"Invalid dsn setting: {shown(name)}")


def _notify(value: str) -> frozenset[str] | None:
    words = frozenset(word.strip().upper() for word in value.split(","))
    return words if words in (NEVER, words & _OCCASIONS) else None


def _ret(value: str) -> str | None:
    word = value.strip().upper()
    return word if word in ("FULL", "HDRS") else None


def _envid(value: str) -> str | None:
    """Printable ASCII that fits when it is written as xtext (RFC 3461 section 4)."""
    escaped = 2 * len(_XTEXT_ESCAPED.findall(value))
    fits = len(value) + escaped <= MAX_ENVID_CHARACTERS
    return value if _PRINTABLE.match(value) and fits else None


def _orcpt(value: str) -> str | None:
    kind, semicolon, address = value.strip().partition(";")
    if not semicolon or kind.lower() != "rfc822":
        address = value.strip()
    try:
        mailbox = Mailbox.parse(address.strip())
    except AddressError:
        return None
    return f"rfc822;{address.strip()}" if not mailbox.needs_smtputf8 else None


def deliver_by(fields: Fields) -> float | None:
    """
    Return the moment after which no attempt is made, in seconds since the epoch.

    Raises:
        Problem: the format is another one.
    """
    value = fields.get("maxdelivertime")
    if value is None or value == "":
        return None
    if isinstance(value, str) and _TIME.match(value):
        with suppress(ValueError):  # no month has 32 days
            return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
    raise Problem(400, "maxdelivertime must be formatted as YYYY-MM-DD hh:mm:ss")


def overrides(fields: Fields) -> Overrides:
    """
    Read the feature switches, under the later names, and what else has a header of its own.

    Raises:
        Problem: one of them has a value that means nothing.
    """
    said: dict[str, Any] = {
        name: boolean(fields[name], name) for name in SWITCHES if name in fields
    }
    if "images" in fields:
        value = fields["images"]
        said["images"] = parse_images(value) if isinstance(value, str) else None
        if said["images"] is None:
            raise Problem(400, f"The field images must be hosted or default, not {shown(value)}")
    if "priority" in fields:
        value = fields["priority"]
        said["priority"] = parse_priority(value) if isinstance(value, str) else None
        if said["priority"] is None:
            raise Problem(
                400, f"The field priority must be high, normal or bulk, not {shown(value)}"
            )
    if "tags" in fields:
        said["tags"] = _tags(fields["tags"])
    return Overrides(**said)


def _tags(value: object) -> tuple[str, ...]:
    tags: dict[str, None] = {}
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, str):
            raise _invalid_tag(item)
        for tag in filter(None, (piece.strip() for piece in item.split(","))):
            if not valid_tag(tag):
                raise _invalid_tag(tag)
            tags[tag] = None
    if len(tags) > MAX_TAGS:
        raise Problem(400, f"There are more than {MAX_TAGS} tags")
    return tuple(tags)


def _invalid_tag(value: object) -> Problem:
    return Problem(400, f"Invalid tag: {shown(value)}")
