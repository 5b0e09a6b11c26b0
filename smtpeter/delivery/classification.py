"""
What the refusal of a server means: why, whether it wants less mail, and how long to wait.

The knowledge is in `replies.toml`. `prepare` reads it, which takes longer than the reactor may
wait. After that a call costs about one microsecond for a text that was seen lately, and less than
a hundred for a new one.
"""

from __future__ import annotations

import re
from functools import lru_cache

from smtpeter.delivery.replyrules import ReplyClass, Rule, compile_patterns, rules, wordings

__all__ = [
    "ReplyClass",
    "classify",
    "is_hard_mailbox_failure",
    "is_throttle",
    "named_wait_seconds",
    "prepare",
]

TEXT_CHARACTERS = 600  # that are looked at; longer replies repeat their advice
LONGEST_WAIT_SECONDS = 86_400.0
REMEMBERED_REPLIES = 2048
REMEMBERED_KINDS = 256

_STATUS = re.compile(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})")
# qmail and others write it into the text only. Not a part of an IP address or a version.
_STATUS_IN_TEXT = re.compile(r"(?<![0-9.])[45]\.[0-7]\.[0-9]{1,3}(?![0-9]|\.[0-9])")
_GENERIC_STATUS = re.compile(r"(?:[245]\.0\.0)?")
# What a 421 without a rule of its own says of these classes is that it comes too often.
_LESS_AT_421 = frozenset({ReplyClass.REPUTATION, ReplyClass.BROKEN, ReplyClass.OTHER})
_NOTHING_KNOWN = Rule(ReplyClass.OTHER)
# Events of our own, before a server has said anything.
_WITHOUT_A_WORD = frozenset({"dns", "bind", "connect"})

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_NUMBERS = {
    "a": 1.0, "an": 1.0, "half an": 0.5, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0,
    "five": 5.0, "six": 6.0, "ten": 10.0, "fifteen": 15.0, "twenty": 20.0, "thirty": 30.0,
}  # fmt: skip
_FIGURES = r"[0-9]{1,6}(?:\.[0-9]{1,3})?"
_WORDS = "|".join(_NUMBERS)
_UNIT = r"(?:s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)"
_LENGTH = rf"(?:{_FIGURES} ?{_UNIT}|(?:{_WORDS}) (?:second|minute|hour|day)s?)(?![a-z])"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}"
_ISO = r"p(?=[0-9t])(?:[0-9]{1,3}d)?(?:t(?:[0-9]{1,4}h)?(?:[0-9]{1,5}m)?(?:[0-9]{1,6}s)?)?\b"
_WAIT = rf"(?P<wait>(?<![0-9a-z.:])(?:{_CLOCK}|{_LENGTH}(?:,? ?(?:and )?{_LENGTH}){{0,2}}|{_ISO}))"
_ASKING = (
    r"\b(?:again|retr(?:y|ied|ying)|wait|back|resend|resent|reconnect|later|delay(?:ed)?"
    r"|defer(?:red)?|gr[ae]y-?list(?:ed|ing)?|postponed|blocked|suspended|expires|remaining)\b"
)
_WAITS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_ASKING}[^.;!?]{{0,40}}?{_WAIT}",
        rf"\b(?:in|after|at least|for the next) {_WAIT}[^.;!?0-9]{{0,20}}\b(?:try|retry|resend)\b",
        rf"{_WAIT} (?:remaining|left|to go)\b",
        r"\bretry[ -]after:? ?(?P<wait>[0-9]{1,6})(?= *(?:[,;)\]]|\.?$|\. ))",
    )
)
_PART = re.compile(rf"({_FIGURES}) ?([smhd])|\b({_WORDS}) (?=second|minute|hour|day)([smhd])")


def prepare() -> None:
    """Read the rules, in a thread or before the service starts: it takes some 200 ms."""
    compile_patterns()


def classify(code: int, status: str, text: str, state: str = "") -> ReplyClass:
    """
    Why a message was not taken.

    Args:
        code: the reply code; 0 where there is none, as in many a report.
        status: the enhanced status code, or "".
        text: of the reply, or our own words for what went wrong.
        state: the point of the dialogue, as `Outcome` names it; "" when it is not known.
    """
    return _found(code, status, text[:TEXT_CHARACTERS], state).meaning


def is_throttle(code: int, status: str, text: str, state: str = "") -> bool:
    """
    True when the receiver asks for less mail, or for fewer connections.

    Not when it ends a connection that was idle or has carried its share, nor when it is about
    one mailbox. The arguments are those of `classify`.
    """
    if code < 400:
        return False
    rule = _found(code, status, text[:TEXT_CHARACTERS], state)
    if rule.throttle is not None:
        return rule.throttle
    return rule.meaning is ReplyClass.RATE or (code == 421 and rule.meaning in _LESS_AT_421)


def is_hard_mailbox_failure(code: int, status: str, text: str, state: str = "") -> bool:
    """
    True when a server says that there is no such mailbox, and will not be.

    The arguments are those of `classify`.
    """
    permanent = code >= 500 or (code == 0 and status.startswith("5"))
    if not permanent or state in _WITHOUT_A_WORD:
        return False
    rule = _found(code, status, text[:TEXT_CHARACTERS], state)
    return rule.meaning is ReplyClass.MAILBOX and rule.hard


def named_wait_seconds(text: str) -> float | None:
    """The wait that a reply asks for, a day at most; None when it names none."""
    said = _plain(text[:TEXT_CHARACTERS])
    for pattern in _WAITS:
        if match := pattern.search(said):
            seconds = _seconds(match["wait"])
            return min(seconds, LONGEST_WAIT_SECONDS) if seconds > 0 else None
    return None


@lru_cache(REMEMBERED_REPLIES)
def _found(code: int, status: str, text: str, state: str) -> Rule:
    """The first rule that fits."""
    said = _plain(text)
    if _GENERIC_STATUS.fullmatch(status) and (named := _STATUS_IN_TEXT.search(said)):
        status = named[0]
    concerned = _concerned(_figures(code, status), status, state)
    for number, rule, wording in wordings().likely(said):
        if number in concerned and wording.fits(said):
            return rule
    return _NOTHING_KNOWN


@lru_cache(REMEMBERED_KINDS)
def _concerned(code: str, status: str, state: str) -> frozenset[int]:
    """The numbers of the rules that fit but for the text."""
    match = _STATUS.fullmatch(status)
    parsed = (match[1], match[2], int(match[3])) if match else None
    return frozenset(
        number for number, rule in enumerate(rules()) if rule.concerns(code, parsed, state)
    )


def _figures(code: int, status: str) -> str:
    """The three figures of a code. Without one, the first is that of the status."""
    if 400 <= code < 600:
        return str(code)
    return f"{status[0]}--" if _STATUS.fullmatch(status) else "---"


def _plain(text: str) -> str:
    """A text as the rules expect it. What an address says is not what the server says."""
    return " ".join("@" if "@" in word else word for word in text.lower().split())


def _seconds(wait: str) -> float:
    if ":" in wait:
        hours, minutes, seconds = map(int, wait.split(":"))
        return hours * 3600.0 + minutes * 60 + seconds
    if wait.isdigit():
        return float(wait)
    parts = _PART.findall(wait)
    return sum((_number(n or word) * _SECONDS[u or unit] for n, u, word, unit in parts), 0.0)


def _number(text: str) -> float:
    return _NUMBERS[text] if text in _NUMBERS else float(text)
