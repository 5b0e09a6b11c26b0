"""Reports of abuse (RFC 5965), and what providers send in place of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from smtpeter.message.incoming.addresses import addresses_in
from smtpeter.message.incoming.decoding import Header, lines_of, one_line, text_of
from smtpeter.message.incoming.fieldgroups import groups_of, without_comments
from smtpeter.message.incoming.findings import Complaint
from smtpeter.message.incoming.letter import Letter
from smtpeter.message.incoming.phrases import pattern, table

RECIPIENTS = 20
VALUE_CHARACTERS = 255

_TYPE = "message/feedback-report"
# RFC 5965 section 3.1 requires these; who writes a report in plain text has some of them.
_REQUIRED = ("user-agent", "version", "original-mail-from", "original-rcpt-to", "source-ip")
_RECIPIENT_FIELDS = ("original-rcpt-to", "removal-recipient", "redacted-address")
_WORD = re.compile(r"[a-z0-9][a-z0-9_\-]{0,40}")


class _Private(NamedTuple):
    """A provider that writes complaints in its own way."""

    authors: tuple[str, ...]
    subject: re.Pattern[str]
    recipient: str

    @classmethod
    def of(cls, entry: dict[str, Any]) -> _Private:
        return cls(tuple(entry["authors"]), pattern(entry["subject"]), entry["recipient"])


_PRIVATE = tuple(map(_Private.of, table("complaints.toml")["complaint"]))


def complaint(letter: Letter) -> Complaint | None:
    """Read the complaint that a message is; None when it is none."""
    for part in letter.parts(_TYPE):
        for group in groups_of(lines_of(text_of(letter.octets, part))):
            if group.first("feedback-type"):
                return _complaint(group, letter)
    return _in_text(letter) or _private(letter)


def _in_text(letter: Letter) -> Complaint | None:
    """A report whose part has another type, or that is plain text altogether."""
    for part in letter.parts("text/plain", "application/octet-stream"):
        text = text_of(letter.octets, part)
        if "feedback-type" in text.lower():
            for group in groups_of(lines_of(text)):
                if group.first("feedback-type") and any(map(group.first, _REQUIRED)):
                    return _complaint(group, letter)
    return None


def _complaint(group: Header, letter: Letter) -> Complaint:
    word = _WORD.match(without_comments(group.first("feedback-type")).lower())
    return Complaint(
        word[0] if word else "other",
        tuple(dict.fromkeys(_recipients(group)))[:RECIPIENTS],
        _address(group.first("original-mail-from")),
        _value(group.first("original-envelope-id")),
        _value(without_comments(group.first("source-ip"))),
        _value(group.first("user-agent")),
        letter.returned,
    )


def _private(letter: Letter) -> Complaint | None:
    author = _address(letter.header.first("from")).lower()
    for each in _PRIVATE:
        if author.endswith(each.authors) and each.subject.match(letter.subject):
            recipient = _address(letter.returned.first(each.recipient)) if each.recipient else ""
            return Complaint("abuse", (recipient,) if recipient else (), returned=letter.returned)
    return None


def _recipients(group: Header) -> Iterator[str]:
    for name in _RECIPIENT_FIELDS:
        yield from filter(None, map(_address, group.all(name)))


def _address(value: str) -> str:
    found = next(addresses_in(value), None)
    return _value(found.address) if found is not None else ""


def _value(text: str) -> str:
    return one_line(text, VALUE_CHARACTERS)
