"""Automatic responses (RFC 3834): programs that answer for a person."""

from __future__ import annotations

import re
from typing import NamedTuple

from smtpeter.message.incoming.findings import AutomaticKind, AutomaticResponse
from smtpeter.message.incoming.letter import Letter
from smtpeter.message.incoming.phrases import either, pattern, plain, substrings, table

_DATA = table("automatic.toml")
_STRONG = {name: pattern(written) for name, written in _DATA["strong"].items()}
_WEAK = {name: pattern(written) for name, written in _DATA["weak"].items()}
_ANSWER = either(_DATA["answers"])
_WORDS_CHARACTERS = 8 * 1024
_RECEIPT = "message/disposition-notification"


class _Words(NamedTuple):
    """How subjects and texts of one kind of response read."""

    kind: AutomaticKind
    subject: re.Pattern[str]
    phrases: tuple[str, ...]


# A challenge often says that it is an automatic reply, too.
_WORDS = tuple(
    _Words(kind, either(_DATA["subjects"][kind.value]), substrings(_DATA["texts"][kind.value]))
    for kind in (AutomaticKind.CHALLENGE, AutomaticKind.REPLY)
)


def certain_response(letter: Letter) -> AutomaticResponse | None:
    """The response that a message is by its fields, parts or subject; None when it is none."""
    if next(letter.parts(_RECEIPT), None) is not None:
        return AutomaticResponse(AutomaticKind.RECEIPT, "disposition-notification")
    said = _by_subject(letter)
    for name, value in _STRONG.items():
        if any(map(value.match, letter.header.all(name))):
            said = AutomaticResponse(AutomaticKind.REPLY, name)
            break
    kinds = {_kind_of_subject(letter), _kind_of_text(letter)}
    if said is not None and AutomaticKind.CHALLENGE in kinds:
        return AutomaticResponse(AutomaticKind.CHALLENGE, said.evidence)
    return said


def likely_response(letter: Letter) -> AutomaticResponse | None:
    """The same by what its text says, or by fields that other programs write as well."""
    if kind := _kind_of_text(letter):
        return AutomaticResponse(kind, "text")
    for name, value in _WEAK.items():
        if any(map(value.match, letter.header.all(name))):
            return AutomaticResponse(AutomaticKind.REPLY, name)
    return None


def is_answer(letter: Letter) -> bool:
    """True when the subject is marked as that of an answer, such as "Re: your order"."""
    return _ANSWER.match(letter.subject) is not None


def _by_subject(letter: Letter) -> AutomaticResponse | None:
    kind = _kind_of_subject(letter)
    return AutomaticResponse(kind, "subject") if kind is not None else None


def _kind_of_subject(letter: Letter) -> AutomaticKind | None:
    subject = letter.subject
    while answer := _ANSWER.match(subject):
        subject = subject[answer.end() :]
    return next((each.kind for each in _WORDS if each.subject.match(subject)), None)


def _kind_of_text(letter: Letter) -> AutomaticKind | None:
    words = plain("\n".join(letter.lines)[:_WORDS_CHARACTERS])
    for each in _WORDS:
        if any(phrase in words for phrase in each.phrases):
            return each.kind
    return None
