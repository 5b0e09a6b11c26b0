"""What speaks for a message being about a failure: its author, its subject, its words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from smtpeter.message.incoming.diagnostics import first_code, first_status
from smtpeter.message.incoming.findings import ReportedAction
from smtpeter.message.incoming.letter import Letter
from smtpeter.message.incoming.phrases import either, plain, substrings, table
from smtpeter.values import frozen

WORDS_CHARACTERS = 16 * 1024

_DATA = table("evidence.toml")
_DAEMONS = frozenset(_DATA["daemons"])
# As whole words: people are named Sandra.
_DAEMON = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, _DAEMONS))})(?!\w)")
_SUBJECT = either(_DATA["subjects"])
_FAILURES = substrings(_DATA["failures"])
_DELAYS = substrings(_DATA["delays"])
_FINALS = substrings(_DATA["finals"])


@frozen
class Evidence:
    """
    What speaks for a failure.

    Attributes:
        named: a field says who failed.
        daemon: a program wrote it that transports mail.
        subject: the subject says so.
        words: the text says so.
        coded: the text has a reply code or an enhanced status code in it.
    """

    named: bool
    daemon: bool
    subject: bool
    words: bool
    coded: bool


def evidence_in(letter: Letter) -> Evidence:
    """Look for what speaks for a failure, in what is not quoted from another message."""
    lines = [line for line in letter.lines if not line.startswith(">")]
    return Evidence(
        named=bool(letter.header.first("x-failed-recipients")),
        daemon=_is_daemon(letter.header.first("from")),
        subject=bool(_SUBJECT.match(letter.subject)),
        words=says_failure(words_of(lines)),
        coded=bool(first_status(lines) or first_code(lines)),
    )


def words_of(lines: Iterable[str]) -> str:
    """The words of a text as phrases are written, so many at most as are looked at."""
    return plain("\n".join(lines)[:WORDS_CHARACTERS])


def says_failure(words: str) -> bool:
    """True when a mail was not delivered, or not yet."""
    return _contains(words, _FAILURES)


def action_of(words: str) -> ReportedAction:
    """Whether the server has failed, or goes on trying."""
    is_delayed = _contains(words, _DELAYS) and not _contains(words, _FINALS)
    return ReportedAction.DELAYED if is_delayed else ReportedAction.FAILED


def _contains(words: str, phrases: Iterable[str]) -> bool:
    return any(phrase in words for phrase in phrases)


def _is_daemon(author: str) -> bool:
    name, _, address = author.lower().rpartition("<")
    local = address.partition("@")[0].strip(' "<>')
    return local in _DAEMONS or _DAEMON.search(name) is not None
