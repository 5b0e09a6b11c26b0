"""Who gets a message: all the forms in which recipients are given. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from smtpeter.message.address import AddressError, Mailbox
from smtpeter.message.envelope import Recipient
from smtpeter.web.api.fields import Fields
from smtpeter.web.problem import Problem, json_type, shown

_BETWEEN_COMMAS = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+"|")++')


def recipients(
    fields: Fields, limit: int, notify: frozenset[str] | None, orcpt: str | None
) -> tuple[Recipient, ...]:
    """
    Read the recipients: a string, an array, or an object of addresses and their data.

    The same address twice is one recipient. Its domain is compared without case.

    Args:
        limit: the most recipients one call may have.
        notify: as in `Recipient`, for each of them.
        orcpt: the same.

    Raises:
        Problem: there is none, there are too many, one is not valid or has data.
    """
    found: dict[Mailbox, Recipient] = {}
    for written in _addresses(fields):
        try:
            mailbox = Mailbox.parse(written)
        except AddressError:
            raise _invalid(written) from None
        found.setdefault(mailbox, Recipient(mailbox, written, notify, orcpt))
        if len(found) > limit:
            raise Problem(400, f"There are more than {limit} recipients in one call")
    if not found:
        raise Problem(400, "No recipient was given")
    return tuple(found.values())


def _addresses(fields: Fields) -> Iterator[str]:
    for name in ("recipient", "recipients"):
        value = fields.get(name)
        if isinstance(value, list):
            for item in value:
                yield from _item(item)
        elif value is not None:
            yield from _item(value)


def _item(item: object) -> Iterator[str]:
    if isinstance(item, str):
        pieces = (piece.strip(" \t\r\n") for piece in _between_commas(item))
        yield from filter(None, pieces)
    elif isinstance(item, dict):
        for address, data in item.items():
            if not isinstance(data, (dict, list)) and data is not None:
                raise Problem(
                    400, f"The data of {shown(address)} must be an object, not {json_type(data)}"
                )
            if data:
                raise Problem(400, "The data of a recipient is not available yet")
            yield address.strip(" \t\r\n")
    else:
        raise _invalid(item)


def _between_commas(text: str) -> list[str]:
    """Split at commas; one in quotes belongs to a local part (RFC 5321 section 4.1.2)."""
    return _BETWEEN_COMMAS.findall(text) if '"' in text else text.split(",")


def _invalid(value: object) -> Problem:
    return Problem(400, f"Invalid recipient address: {shown(value)}")
