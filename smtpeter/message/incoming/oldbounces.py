"""Errors in formats of somebody's own: who failed, how and why, as well as it can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

from smtpeter.message.incoming.diagnostics import (
    diagnostic_line,
    first_code,
    first_status,
    status_in_words,
)
from smtpeter.message.incoming.evidence import action_of, says_failure, words_of
from smtpeter.message.incoming.findings import PrivateError, RecipientReport, ReportedAction
from smtpeter.message.incoming.letter import Letter
from smtpeter.message.incoming.phrases import plain, substrings, table
from smtpeter.message.incoming.recipients import Named, recipients_of

_LINES_ABOUT = 5
_LINES_BELOW = 50


class _Format(NamedTuple):
    """A program, and what it is known by."""

    name: str
    phrases: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, entry: dict[str, Any]) -> _Format:
        fields = tuple(entry.get("fields", {}).items())
        return cls(entry["name"], substrings(entry["phrases"]), fields)

    def wrote(self, letter: Letter, words: str) -> bool:
        return any(phrase in words for phrase in self.phrases) or any(
            letter.header.all(name) and value in letter.header.first(name).lower()
            for name, value in self.fields
        )


_FORMATS = tuple(map(_Format.of, table("formats.toml")["format"]))


class _Reason(NamedTuple):
    """
    Why something failed, as far as lines say it.

    Attributes:
        lines: where it stands.
        code: 0 for none.
        status: "" for none.
        meant: what the words mean, with an x for a class; "" for nothing.
    """

    lines: Sequence[str]
    code: int
    status: str
    meant: str

    def __bool__(self) -> bool:
        return bool(self.code or self.status or self.meant)


def private_error(letter: Letter) -> PrivateError:
    """Read a message about a failure; what cannot be found in it is left empty."""
    words = words_of([letter.subject, *letter.lines])
    name = next((each.name for each in _FORMATS if each.wrote(letter, words)), "")
    reports = tuple(_reports(letter, recipients_of(letter), words))
    return PrivateError(name, reports, letter.returned)


def _reports(letter: Letter, found: Sequence[Named], words: str) -> Iterator[RecipientReport]:
    whole = _reason([letter.subject, *letter.lines])
    telling = cache(partial(_telling, whole))  # the same for all of whom nothing else is said
    report = partial(_report, letter=letter, action=action_of(words), whole=whole, telling=telling)
    starts = {each.start for each in found}
    for each in found:
        yield report(each, _block(letter.lines, each, starts))
    if not found and (whole or says_failure(words)):
        yield report(Named("", len(letter.lines)), [])


def _block(lines: Sequence[str], of: Named, starts: set[int]) -> list[str]:
    """The lines that are about one recipient: up to the next one, or to an empty line."""
    block = [of.text] if of.text else []
    for number in range(of.start + 1, min(of.start + 1 + _LINES_BELOW, len(lines))):
        line = lines[number].strip()
        if number in starts or (not line and any(block)):
            break
        if line:
            block.append(line)
    return block


def _report(
    of: Named,
    block: Sequence[str],
    *,
    letter: Letter,
    action: ReportedAction,
    whole: _Reason,
    telling: Callable[[], Sequence[str]],
) -> RecipientReport:
    own, about = _reason(block), _reason(_about(letter.lines, of.address))
    reason = own or about or whole
    status = reason.status or _status(reason.meant or about.meant, reason.code, action)
    said = block if own else _telling(about) if about else telling()
    return RecipientReport(
        action,
        of.address,
        of.original,
        status,
        status,
        reason.code,
        diagnostic_line("\n".join(said)),
    )


def _reason(lines: Sequence[str]) -> _Reason:
    code, status = first_code(lines), first_status(lines)
    return _Reason(lines, code, status, "" if status else status_in_words("\n".join(lines)))


def _about(lines: Sequence[str], address: str) -> list[str]:
    return [line for line in lines if address and address in line][:_LINES_ABOUT]


def _telling(reason: _Reason) -> list[str]:
    """The lines that have the codes; else the one that says why, or that something failed."""
    coded = [line for line in reason.lines if first_code([line]) or first_status([line])]
    return (
        coded
        or _first(line for line in reason.lines if reason.meant and status_in_words(line))
        or _first(line for line in reason.lines if says_failure(plain(line)))
    )


def _first(lines: Iterable[str]) -> list[str]:
    return [line for line, _ in zip(lines, range(1), strict=False)]


def _status(meant: str, code: int, action: ReportedAction) -> str:
    """The class is that of the code, or of what happened; words tell it where neither does."""
    meant = meant or "x.0.0"
    if code:
        level = str(code // 100)
    elif action is ReportedAction.DELAYED:
        level = "4"
    else:
        level = meant[0] if meant[0] != "x" else "5"
    return level + meant[1:]
