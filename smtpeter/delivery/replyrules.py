"""The rules of `replies.toml`: read, checked, and made quick to try."""

from __future__ import annotations

import enum
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from smtpeter.values import frozen

FILE = "replies.toml"
SHORTEST_NEEDLE = 3
LONGEST_GAP = 80  # characters that a pattern may leap over at once

_KEYS = frozenset({"class", "text", "codes", "status", "states", "throttle", "hard"})
_STATES = frozenset(
    {"", "process", "dns", "bind", "connect", "intro", "ehlo", "helo", "starttls", "authplain"}
    | {"authlogin", "mailfrom", "rcptto", "data", "message"}
)
_CODE = re.compile(r"[45][0-9x][0-9x]")
_STATUS = re.compile(r"([45x])\.([0-7])\.(?:x|([0-9]{1,3})(?:-([0-9]{1,3}))?)")
# What a pattern must do without, so that no text can make it slow.
_NOT_ALLOWED = re.compile(r"(?<!\\)[*+]|\{[0-9]*,\}|\)\{|[A-Z]|\\[^bd\W]")
_GAP = re.compile(r"(?<!\\)\{(?:[0-9]+,)?([0-9]+)\}")
_PIECE = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\{[0-9,]+\}|.")
_PLAIN = re.compile(r"\\\W|[^\\.^$?{}()\[\]|]")


class ReplyClass(enum.Enum):
    """Why a server did not take a message."""

    MAILBOX = "mailbox"
    FULL = "full"
    POLICY = "policy"
    REPUTATION = "reputation"
    RATE = "rate"
    GREYLIST = "greylist"
    CONTENT = "content"
    BROKEN = "broken"
    OTHER = "other"


class RuleError(ValueError):
    """A rule cannot be used; the message says which, and why."""


@frozen
class Wording:
    """
    A pattern that is looked for in texts.

    Attributes:
        needle: what each text that fits contains; it is much cheaper to look for.
        pattern: None where the needle says it all.
    """

    needle: str
    pattern: str | None

    def fits(self, text: str) -> bool:
        """True when it is found in a text, which is in lower case."""
        if self.needle not in text:
            return False
        return self.pattern is None or _searching(self.pattern)(text) is not None


ANY_WORDING = Wording("", None)


@frozen
class Rule:
    """
    What a reply means when it fits.

    Attributes:
        meaning: its class.
        codes: reply codes, "x" for any figure; empty for all.
        statuses: first figure or "x", subject, and the first and the last of the details.
        states: points of the dialogue; empty for all.
        wordings: one of them fits; empty for any text.
        throttle: whether the receiver asks for less; None to derive it.
        hard: for a mailbox: it is sure enough that it does not exist.
    """

    meaning: ReplyClass
    codes: tuple[str, ...] = ()
    statuses: tuple[tuple[str, str, int, int], ...] = ()
    states: frozenset[str] = frozenset()
    wordings: tuple[Wording, ...] = ()
    throttle: bool | None = None
    hard: bool = True

    def concerns(self, code: str, status: tuple[str, str, int] | None, state: str) -> bool:
        """True when all but the text fits."""
        return (
            (not self.states or state in self.states)
            and (not self.codes or any(_like(code, each) for each in self.codes))
            and (not self.statuses or (status is not None and self._has(*status)))
        )

    def _has(self, figure: str, subject: str, detail: int) -> bool:
        return any(
            first in ("x", figure) and about == subject and least <= detail <= most
            for first, about, least, most in self.statuses
        )


@frozen
class WordingIndex:
    """
    Finds what a text may fit without trying each wording.

    Attributes:
        entries: number of the rule, the rule, and one of its wordings, in order.
        by_trigram: which entries have a needle with these three characters; for each needle the
            three that are the rarest.
    """

    entries: tuple[tuple[int, Rule, Wording], ...]
    by_trigram: Mapping[str, Sequence[int]]

    def likely(self, text: str) -> Iterator[tuple[int, Rule, Wording]]:
        """The entries that a text may fit, in order; all others it does not."""
        found = _trigrams(text) & self.by_trigram.keys()
        for at in sorted(at for part in found for at in self.by_trigram[part]):
            yield self.entries[at]


@cache
def rules() -> tuple[Rule, ...]:
    """
    The rules, in their order. Reading them takes longer than the reactor may wait.

    Raises:
        RuleError: one of them cannot be used.
    """
    text = files(__package__).joinpath(FILE).read_text("utf-8")
    return tuple(read_rules(tomllib.loads(text)))


@cache
def wordings() -> WordingIndex:
    """All wordings of the rules. To put them in order takes longer than the reactor may wait."""
    entries = [
        (number, rule, wording)
        for number, rule in enumerate(rules())
        for wording in rule.wordings or (ANY_WORDING,)
    ]
    frequency = Counter(part for _, _, wording in entries for part in _trigrams(wording.needle))
    by_trigram: dict[str, list[int]] = {}
    for at, (_, _, wording) in enumerate(entries):
        rarest = min(_trigrams(wording.needle), key=lambda part: (frequency[part], part))
        by_trigram.setdefault(rarest, []).append(at)
    return WordingIndex(tuple(entries), by_trigram)


def compile_patterns() -> None:
    """
    Compile what is otherwise compiled when it is first needed; together some 150 ms.

    Raises:
        re.error: a pattern is no regular expression.
    """
    for _, _, wording in wordings().entries:
        if wording.pattern is not None:
            _searching(wording.pattern)


def read_rules(document: Mapping[str, Any]) -> Iterator[Rule]:
    """
    The rules of a parsed file.

    Raises:
        RuleError: one of them cannot be used.
    """
    if set(document) != {"rule"} or not isinstance(document["rule"], list):
        raise RuleError(f"{FILE}: only [[rule]] may stand in it")
    for number, table in enumerate(document["rule"], start=1):
        try:
            yield _rule(table)
        except (ValueError, TypeError, KeyError) as fault:
            raise RuleError(f"{FILE}: rule {number}: {fault}") from fault


def _rule(table: Mapping[str, Any]) -> Rule:
    if unknown := set(table) - _KEYS:
        raise ValueError(f"unknown key {min(unknown)!r}")
    for key in {"throttle", "hard"} & set(table):
        if not isinstance(table[key], bool):
            raise TypeError(f"{key} is true or false")
    meaning = ReplyClass(table["class"])
    if "hard" in table and meaning is not ReplyClass.MAILBOX:
        raise ValueError("hard is for mailboxes")
    rule = Rule(
        meaning,
        codes=tuple(_strings(table, "codes", _checked_code)),
        statuses=tuple(_strings(table, "status", _parsed_status)),
        states=frozenset(_strings(table, "states", _checked_state)),
        wordings=tuple(_strings(table, "text", wording)),
        throttle=table.get("throttle"),
        hard=table.get("hard", True),
    )
    if not (rule.codes or rule.statuses or rule.states or rule.wordings):
        raise ValueError("it fits every reply")
    return rule


def _strings(table: Mapping[str, Any], key: str, read: Callable[[str], Any]) -> Iterator[Any]:
    if key not in table:
        return
    found = table[key]
    if not isinstance(found, list) or not found or not all(isinstance(e, str) for e in found):
        raise TypeError(f"{key} is a list of strings")
    if len(set(found)) != len(found):
        raise ValueError(f"{key} names something twice")
    yield from map(read, found)


def _checked_code(text: str) -> str:
    if not _CODE.fullmatch(text):
        raise ValueError(f"not a code: {text!r}")
    return text


def _checked_state(text: str) -> str:
    if text not in _STATES:
        raise ValueError(f"not a state: {text!r}")
    return text


def _parsed_status(text: str) -> tuple[str, str, int, int]:
    match = _STATUS.fullmatch(text)
    if match is None:
        raise ValueError(f"not a status: {text!r}")
    figure, subject, least, most = match.groups()
    if least is None:
        return figure, subject, 0, 999
    return figure, subject, int(least), int(most or least)


def wording(pattern: str) -> Wording:
    """
    A pattern made quick to try.

    Raises:
        ValueError: some text could make it slow.
    """
    if _NOT_ALLOWED.search(pattern) or any(int(gap) > LONGEST_GAP for gap in _GAP.findall(pattern)):
        raise ValueError(f"not bounded, or not in lower case: {pattern!r}")
    parts = _plain_parts(pattern)
    needle = max(parts, key=len)
    if len(needle) < SHORTEST_NEEDLE:
        raise ValueError(f"no plain characters to look for: {pattern!r}")
    return Wording(needle, None if len(parts) == 1 else pattern)


def _plain_parts(pattern: str) -> list[str]:
    """What of a pattern is found as it stands there, cut where something else comes between."""
    depth, parts = 0, [""]
    for piece in _PIECE.findall(pattern):
        depth -= piece == ")"
        if depth == 0 and piece == "|":
            raise ValueError(f"alternatives outside of brackets: {pattern!r}")
        if depth == 0 and _PLAIN.fullmatch(piece):
            parts[-1] += piece[-1]
        elif depth == 0:
            if piece[0] in "?{":  # what stands before it may be missing
                parts[-1] = parts[-1][:-1]
            parts.append("")
        depth += piece == "("
    return parts


def _like(code: str, pattern: str) -> bool:
    """True when the figures of a code are those of a pattern; one that is missing fits "x"."""
    return all(wanted in ("x", figure) for figure, wanted in zip(code, pattern, strict=True))


def _trigrams(text: str) -> set[str]:
    """Each three characters in a row, and none."""
    return {"", *(text[at : at + 3] for at in range(len(text) - 2))}


@cache
def _searching(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """
    What looks for a pattern in a text.

    Patterns are compiled when they are first needed: all at once would take too long.
    """
    return re.compile(pattern).search
