"""
Suppression lists as files: CSV with headings, or an address on each line. Pure.

Nothing of a file is kept but the line at hand, so that it may be of any length.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO

from smtpeter.message.address import AddressError, Mailbox
from smtpeter.store.suppressions import (
    DESCRIPTION_CHARACTERS,
    MANUAL,
    REASONS,
    Lifetimes,
    Suppression,
    address_key,
)
from smtpeter.units import parse_time
from smtpeter.values import frozen

HEADINGS = ("address", "reason", "description", "message", "created", "expires")
NEVER = "never"
SHOWN_CHARACTERS = 60

# Others call the column of addresses by these names.
_ADDRESS_HEADINGS = ("address", "email", "recipient")
_MESSAGE = re.compile(r"[A-Za-z0-9]{16}|")
_NOT_UTF8 = re.compile("[\ud800-\udfff]")


@frozen
class Fault:
    """
    What is wrong with a line.

    Attributes:
        line: its number, from 1.
    """

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


def read(lines: Iterable[str], now: float, lifetimes: Lifetimes) -> Iterator[Suppression | Fault]:
    """
    Read a file.

    Args:
        lines: with their endings; octets that are no UTF-8 as "surrogateescape" has them.
        now: when an entry begins that does not say it, seconds since the epoch.
        lifetimes: until when one lasts that does not say it.
    """
    reader = csv.reader(lines)
    columns: Sequence[str] = ()
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Fault(reader.line_num, f"it is no CSV: {error}")
            continue
        if not any(cell.strip() for cell in row):
            continue
        if not columns:
            headings = [cell.strip().lower() for cell in row]
            found = next((name for name in _ADDRESS_HEADINGS if name in headings), None)
            if found is not None:
                columns = ["address" if name == found else name for name in headings]
                continue
            columns = ("address",)
        try:
            yield _entry(dict(zip(columns, row, strict=False)), now, lifetimes)
        except ValueError as error:
            yield Fault(reader.line_num, str(error))


def written(entries: Iterable[Suppression]) -> Iterator[str]:
    """The lines of a file that `read` reads."""
    line = StringIO()
    writer = csv.writer(line, lineterminator="\n")
    writer.writerow(HEADINGS)
    for each in entries:
        yield line.getvalue()
        line.seek(0)
        line.truncate()
        writer.writerow(
            (
                each.address,
                each.reason,
                " ".join(each.description.split()),
                each.message,
                _moment(each.created),
                NEVER if each.expires is None else _moment(each.expires),
            )
        )
    yield line.getvalue()


def _entry(cells: dict[str, str], now: float, lifetimes: Lifetimes) -> Suppression:
    """Raises `ValueError`: a cell cannot be what it should be."""
    said = {name: value.strip() for name, value in cells.items()}
    if any(map(_NOT_UTF8.search, said.values())):
        raise ValueError("it is not UTF-8 text")
    reason = said.get("reason", "").lower() or MANUAL
    if reason not in REASONS:
        raise ValueError(f"{_shown(reason)} is no reason; allowed are {', '.join(REASONS)}")
    message = said.get("message", "")
    if not _MESSAGE.fullmatch(message):
        raise ValueError(f"{_shown(message)} is no message id")
    created = _seconds(said["created"]) if said.get("created") else now
    return Suppression(
        address=_address(said.get("address", "")),
        reason=reason,
        description=said.get("description", "")[:DESCRIPTION_CHARACTERS],
        message=message,
        created=min(created, now),
        expires=_end(said.get("expires", ""), reason, now, lifetimes),
    )


def _address(text: str) -> str:
    try:
        return address_key(Mailbox.parse(text))
    except AddressError as error:
        raise ValueError(f"{_shown(text)} is no address: {error}") from None


def _end(text: str, reason: str, now: float, lifetimes: Lifetimes) -> float | None:
    if not text:
        return lifetimes.end(reason, now)
    return None if text.lower() == NEVER else _seconds(text)


def _seconds(text: str) -> float:
    try:
        return parse_time(text)
    except ValueError:
        raise ValueError(f"{_shown(text)} is no time such as 2026-11-20T11:33:45Z") from None


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}...")
