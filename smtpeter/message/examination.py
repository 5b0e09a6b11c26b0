"""What the intake needs to know of a message: its instructions, and what it lacks."""

from __future__ import annotations

from collections.abc import Sequence

from smtpeter.message.address import AddressError
from smtpeter.message.addresslist import NamedMailbox, parse_address_list
from smtpeter.message.content import Content, Field
from smtpeter.message.features import HEADER_PREFIX, SILENCE, Overrides, overrides_from_headers
from smtpeter.values import frozen

_KEY_FIELD = f"{HEADER_PREFIX}idempotency-key"
MAX_KEY_CHARACTERS = 255


@frozen
class Examination:
    """
    The top-level header of a message, read once.

    Attributes:
        author: the first address of the From field, None when there is no valid one.
        present: the names of all fields, in lower case.
        hops: how many Received fields there are.
        overrides: what the instruction headers say.
        warnings: values of instruction headers that say nothing.
        idempotency_key: None when no header names a valid one.
        eightbit: an octet above 127 occurs in the content.
    """

    author: NamedMailbox | None
    present: frozenset[str]
    hops: int
    overrides: Overrides
    warnings: tuple[str, ...]
    idempotency_key: str | None
    eightbit: bool


def examine(content: Content, prefixes: Sequence[str]) -> Examination:
    """
    Read the header of a message.

    Args:
        prefixes: of the instruction headers, in lower case; the first is the documented one.
    """
    fields = content.fields()
    names = [each.name for each in fields]
    beginnings = tuple(prefixes)
    instructions = [each for each in fields if each.name.startswith(beginnings)]
    overrides: Overrides = SILENCE
    warnings: tuple[str, ...] = ()
    if instructions:
        overrides, warnings = overrides_from_headers(
            (_documented_name(each.name, prefixes), each.value) for each in instructions
        )
    return Examination(
        author=_author(fields),
        present=frozenset(names),
        hops=names.count("received"),
        overrides=overrides,
        warnings=warnings,
        idempotency_key=_idempotency_key(instructions, prefixes),
        eightbit=content.eightbit,
    )


def _documented_name(name: str, prefixes: Sequence[str]) -> str:
    own = next(prefix for prefix in prefixes if name.startswith(prefix))
    return HEADER_PREFIX + name.removeprefix(own)


def _author(fields: Sequence[Field]) -> NamedMailbox | None:
    for each in fields:
        if each.name == "from":
            try:
                return parse_address_list(each.value)[0]
            except AddressError:
                continue
    return None


def _idempotency_key(instructions: Sequence[Field], prefixes: Sequence[str]) -> str | None:
    for each in reversed(instructions):
        if _documented_name(each.name, prefixes) == _KEY_FIELD and valid_key(each.value):
            return each.value
    return None


def valid_key(key: str) -> bool:
    """True for 1 to 255 visible ASCII characters."""
    return 0 < len(key) <= MAX_KEY_CHARACTERS and all("!" <= each <= "~" for each in key)
