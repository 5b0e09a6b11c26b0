"""The fields of a call one by one: their names, their types. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smtpeter.message.address import AddressError, Mailbox
from smtpeter.message.addresslist import NamedMailbox, parse_address_list
from smtpeter.message.features import SPELLINGS, parse_boolean
from smtpeter.web.problem import Problem, json_type, shown

Fields = Mapping[str, Any]

# Two generations of names are published; each works, and the later one wins.
LATER_NAMES: Mapping[str, str] = {
    "body": "mime",
    **{name: later for name, later in SPELLINGS.items() if name != later},
}


def under_later_names(fields: Fields) -> dict[str, Any]:
    """Return the fields that say something, each under the later of its names."""
    said = {name: value for name, value in fields.items() if value is not None}
    renamed = {LATER_NAMES[name]: value for name, value in said.items() if name in LATER_NAMES}
    return renamed | {name: value for name, value in said.items() if name not in LATER_NAMES}


def text(fields: Fields, name: str) -> str | None:
    """
    Return a string, None when it is absent.

    Raises:
        Problem: it is something else.
    """
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise Problem(400, f"The field {name} must be a string, not {json_type(value)}")
    return value


def mapping(fields: Fields, name: str) -> dict[str, Any]:
    """
    Return an object, an empty one when it is absent.

    Some languages write an empty object as an empty array, and forms as an empty string.

    Raises:
        Problem: it is something else.
    """
    value = fields.get(name)
    if not value and not isinstance(value, (bool, int, float)):
        return {}
    if not isinstance(value, dict):
        raise Problem(400, f"The field {name} must be an object, not {json_type(value)}")
    return value


def boolean(value: object, name: str) -> bool:
    """
    Read a switch: true or false of JSON, 1 or 0, or one of the words for them.

    Raises:
        Problem: it is something else.
    """
    verdict = value if isinstance(value, bool) else None
    if isinstance(value, str):
        verdict = parse_boolean(value)
    elif value in (0, 1):
        verdict = bool(value)
    if verdict is None:
        raise Problem(400, f"The field {name} must be true or false, not {shown(value)}")
    return verdict


def mailboxes(fields: Fields, name: str) -> tuple[NamedMailbox, ...]:
    """
    Read addresses with names: strings with commas, objects of name and address, or arrays.

    Raises:
        Problem: one is not valid.
    """
    value = fields.get(name)
    items = value if isinstance(value, list) else [value]
    try:
        return tuple(mailbox for item in items for mailbox in _mailboxes(item))
    except AddressError as error:
        raise Problem(400, f"Invalid address in the field {name}: {error}") from None


def _mailboxes(item: object) -> tuple[NamedMailbox, ...]:
    if item is None:
        return ()
    if isinstance(item, str):
        return parse_address_list(item) if item.strip(" \t") else ()
    if not isinstance(item, dict):
        raise AddressError(f"it must be a string or an object, not {json_type(item)}")
    name, address = item.get("name") or "", item.get("address")
    if not isinstance(name, str) or not isinstance(address, str):
        raise AddressError("an object must have an address, and may have a name, both strings")
    try:
        return (NamedMailbox(name, Mailbox.parse(address.strip(" \t"))),)
    except AddressError as error:
        raise AddressError(f"{shown(address)!r} is no address: {error}") from None
