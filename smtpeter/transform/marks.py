"""Marks: what stands in a text while it is not known what will stand there."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from smtpeter.transform.identifier import LONGEST

_NUMBER_DIGITS = 5


class Slot(NamedTuple):
    """
    A place for an identifier.

    Attributes:
        kind: one of `identifier.KINDS`.
        number: which of its kind in the message.
        origin: "https://shop.example", where the original is; "" for what has none.
    """

    kind: str
    number: int
    origin: str


class Marks:
    """
    Makes marks for slots: as long as the longest identifier, and of letters and digits too.

    So lines that hold marks do not get longer when identifiers take their places.

    Args:
        octets: in which no mark may occur; all marks come from their hash.
    """

    def __init__(self, octets: bytes) -> None:
        digits = LONGEST - _NUMBER_DIGITS
        # Upper case: no transfer encoding has reason to write it in another way.
        self.prefix = "Z" + blake2b(octets, digest_size=32).hexdigest().upper()[: digits - 1]
        self.slots: list[Slot] = []

    def make(self, kind: str, number: int, origin: str = "") -> str:
        """A mark where such an identifier will stand."""
        self.slots.append(Slot(kind, number, origin))
        return self.prefix + self.digits(len(self.slots) - 1)

    def digits(self, slot: int) -> str:
        """What follows the prefix in the mark of a slot."""
        return f"{slot:0{_NUMBER_DIGITS}d}"

    def replaced(self, text: str, identifiers: Sequence[str]) -> str:
        """A text with identifiers in the place of its marks."""
        first, *others = text.split(self.prefix)
        pieces = [first]
        for each in others:
            pieces += (identifiers[int(each[:_NUMBER_DIGITS])], each[_NUMBER_DIGITS:])
        return "".join(pieces)
