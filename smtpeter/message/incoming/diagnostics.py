"""What a text says about a failure: a reply code, an enhanced status code, or a reason in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from smtpeter.message.incoming.decoding import one_line
from smtpeter.message.incoming.phrases import plain, substrings, table

DIAGNOSTIC_CHARACTERS = 1000

# RFC 3463 has no subjects above 7. Addresses have four numbers, versions a letter before them.
_ENHANCED = re.compile(r"(?<![\w.\-/])([45]\.[0-7]\.[0-9]{1,3})(?![0-9]|\.[0-9])")
_CODE = r"([45][0-57][0-9])"
_NO_UNIT = r"(?![ ](?:[kKmMgG]i?[bB]|ms|bytes|octets)\b)"
_CODES = (
    re.compile(rf"^[^\w]{{0,10}}{_CODE}(?=[ \-:;,.]|$)"),
    re.compile(rf"(?<![\w.:\[/\-]){_CODE}[ \-:]{{1,3}}[#(\[]?[245]\.[0-7]\.[0-9]{{1,3}}"),
    re.compile(
        rf"""\b
        (?:said|says|replied|reply|response|responded|returned|errors?|(?:error_)?code|status)\b
        (?:[ ](?:was|is|from|code|message))* [ ]?[ :=#(\"'<]{{1,6}} (?:smtp;?[ ]?)?
        {_CODE}(?![\w.]\w){_NO_UNIT}
        """,
        re.IGNORECASE | re.VERBOSE,
    ),
    re.compile(rf"(?:[:<>\"'(,;]|\.\.\.) ?{_CODE}(?=[ \-:)]){_NO_UNIT}"),
)
_CONTINUED = re.compile(r"([245][0-9]{2})([ -])(?:([245]\.[0-9]{1,3}\.[0-9]{1,3})[ -]?)?")

# Names of addresses and hosts can hold any word. None is read from its middle.
_NAMES = re.compile(
    r"""
    [<(\["']{0,2}
    (?: https?://\S*
      | (?<![^\s<>()\[\]"']) [^\s@<>()\[\]"']{1,128}+ @ [^\s>)\]"']*
      | (?<![\w\-]) [\w\-]++ (?:\.[\w\-]++)+
    )
    [>)\]"']{0,2}
    """,
    re.VERBOSE,
)
_WORDS_CHARACTERS = 4096

_REASONS = table("reasons.toml")["reason"]


class Reason(NamedTuple):
    """What words mean; `status` has an x for its class where they do not tell it."""

    status: str
    phrases: tuple[str, ...]


REASONS = tuple(Reason(each["status"], substrings(each["phrases"])) for each in _REASONS)


def reply_code(text: str) -> int:
    """The first SMTP reply code of a failure in one line of text; 0 for none."""
    found = (pattern.search(text) for pattern in _CODES)
    return next((int(match[1]) for match in found if match), 0)


def enhanced_status(text: str) -> str:
    """The first enhanced status code in the text; "" for none."""
    match = _ENHANCED.search(text)
    return match[1] if match else ""


def status_in_words(text: str) -> str:
    """
    The enhanced status code that words mean.

    Returns:
        Such as "x.1.1" where they do not tell the class; "" for words that mean none.
    """
    words = plain(_NAMES.sub(" ", text[:_WORDS_CHARACTERS]))
    for reason in REASONS:
        if any(phrase in words for phrase in reason.phrases):
            return reason.status
    return ""


def first_code(lines: Iterable[str]) -> int:
    """The first reply code in these lines, 0 for none."""
    return next(filter(None, map(reply_code, lines)), 0)


def first_status(lines: Iterable[str]) -> str:
    """The first enhanced status code in these lines, "" for none."""
    return next(filter(None, map(enhanced_status, lines)), "")


def diagnostic_line(text: str) -> str:
    """
    What was said, on one line of `DIAGNOSTIC_CHARACTERS` at most.

    The codes that each line of a reply repeats are left out but for the first (RFC 5321
    section 4.2.1).
    """
    line = one_line(text, 2 * DIAGNOSTIC_CHARACTERS)
    first = _CONTINUED.match(line)
    if first is not None and first[2] == "-":
        code, status = first[1], first[3]
        rest = line[first.end() :]
        for repeated in _repeated(code, status):
            rest = rest.replace(repeated, " ")
        line = " ".join(filter(None, (code, status, " ".join(rest.split()))))
    return line[:DIAGNOSTIC_CHARACTERS]


def _repeated(code: str, status: str | None) -> Iterator[str]:
    if status:
        yield f" {code}-{status} "
        yield f" {code} {status} "
        yield f" {code}-{status}-"
    yield f" {code}-"
    yield f" {code} "
