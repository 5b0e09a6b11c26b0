"""
Selectors as they are written.

Read is what Level 3 has, and of Level 4 `:is`, `:where`, lists in `:not`, and the `i` flag.
"""

from __future__ import annotations

import re

from smtpeter.transform.inlinecss.blanks import BLANKS
from smtpeter.transform.inlinecss.selectors import (
    Choice,
    Compound,
    Question,
    Selector,
    Test,
)

_ESCAPE = r"\\(?:[0-9a-fA-F]{1,6}(?:\r\n|[ \t\n\r\f])?|[^\n\r\f0-9a-fA-F])"
_IDENTIFIER = (
    rf"(?:--|-?(?:[a-zA-Z_\x80-\U0010ffff]|{_ESCAPE}))(?:[\w\x80-\U0010ffff-]|{_ESCAPE})*+"
)
_NAME = rf"(?:[\w\x80-\U0010ffff-]|{_ESCAPE})++"
_STRING = r""""(?:[^"\\\n\r\f]|\\.)*+"|'(?:[^'\\\n\r\f]|\\.)*+'"""
_TOKEN = re.compile(
    rf"""(?P<combinator>\s*+[>+~]\s*+|\s++)
    |\.(?P<class>{_IDENTIFIER})
    |\#(?P<id>{_NAME})
    |(?P<type>{_IDENTIFIER}|\*)
    |(?P<attribute>\[)\s*+(?P<name>{_IDENTIFIER})\s*+
        (?:(?P<operator>[~|^$*]?=)\s*+(?P<value>{_IDENTIFIER}|{_STRING})\s*+(?P<flag>[iIsS]?)\s*+)?\]
    |(?P<colons>::?)(?P<pseudo>{_IDENTIFIER})(?P<open>\()?
    """,
    re.ASCII | re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\n\r\f])?|(\r\n|.))", re.DOTALL)
_ARGUMENT = re.compile(
    rf"""(?:[^()"'\\]++|{_STRING}|\\.|\((?:[^()"'\\]++|{_STRING}|\\.|\((?:[^()]++|\([^()]*\))*\))*\))*+""",
    re.DOTALL,
)
_PART = re.compile(
    rf"""(?:[^,()\["'\\]++|{_STRING}|\\.|\[(?:[^\]"']++|{_STRING})*+\]|\({_ARGUMENT.pattern}\))++""",
    re.DOTALL,
)
_NTH = re.compile(
    r"\s*(?:(?P<word>odd|even)|(?P<step>[+-]?\d*)n(?:\s*(?P<sign>[+-])\s*(?P<add>\d+))?"
    r"|(?P<only>[+-]?\d+))\s*\Z",
    re.ASCII | re.IGNORECASE,
)

# Attributes whose values HTML compares without regard to case (WHATWG HTML, section 4.16.2).
_CASELESS = {
    "accept", "accept-charset", "align", "alink", "axis", "bgcolor", "charset", "checked",
    "clear", "codetype", "color", "compact", "declare", "defer", "dir", "direction", "disabled",
    "enctype", "face", "frame", "hreflang", "http-equiv", "lang", "language", "link", "media",
    "method", "multiple", "nohref", "noresize", "noshade", "nowrap", "readonly", "rel", "rev",
    "rules", "scope", "scrolling", "selected", "shape", "target", "text", "type", "valign",
    "valuetype", "vlink",
}  # fmt: skip
_OF_PLACE = {
    "first-child": ("nth-child", 0, 1),
    "last-child": ("nth-last-child", 0, 1),
    "first-of-type": ("nth-of-type", 0, 1),
    "last-of-type": ("nth-last-of-type", 0, 1),
}
_NTHS = frozenset({"nth-child", "nth-last-child", "nth-of-type", "nth-last-of-type"})
_BOTH_ENDS = {
    "only-child": ("first-child", "last-child"),
    "only-of-type": ("first-of-type", "last-of-type"),
}
_LISTS = frozenset({"not", "is", "where", "matches", "-webkit-any", "-moz-any"})
# They hold at one time and not at another, or nobody can tell without a reader.
_DYNAMIC = {
    "hover", "active", "focus", "focus-within", "focus-visible", "visited", "target", "checked",
    "indeterminate", "disabled", "enabled", "required", "optional", "valid", "invalid",
    "in-range", "out-of-range", "read-only", "read-write", "default", "placeholder-shown",
    "autofill", "fullscreen", "target-within", "user-valid", "user-invalid", "open", "modal",
    "local-link", "playing", "paused", "lang", "dir", "has", "nth-col", "nth-last-col",
}  # fmt: skip
_ELEMENTS_WITH_ONE_COLON = frozenset({"before", "after", "first-line", "first-letter"})
_PSEUDO_ELEMENTS = _ELEMENTS_WITH_ONE_COLON | frozenset(
    [
        "selection",
        "placeholder",
        "marker",
        "backdrop",
        "file-selector-button",
        "cue",
        "grammar-error",
        "spelling-error",
        "target-text",
    ]
)


class Unreadable(ValueError):
    """No selector, or one of a kind that we do not know."""


def parts(prelude: str) -> list[tuple[int, int]]:
    """
    Where the selectors of a list stand.

    Raises:
        Unreadable: one of them is missing.
    """
    found: list[tuple[int, int]] = []
    position = 0
    if "," not in prelude and prelude.strip(BLANKS):
        return [(0, len(prelude))]
    while True:
        match = _PART.match(prelude, position)
        if match is None or not match[0].strip(BLANKS):
            raise Unreadable(prelude)
        found.append(match.span())
        if match.end() == len(prelude):
            return found
        if prelude[match.end()] != ",":
            raise Unreadable(prelude)
        position = match.end() + 1


def parse(text: str, *, caseless: bool = False) -> Selector:
    """
    Read one selector.

    Args:
        caseless: classes and ids are compared without regard to case, as in quirks mode.

    Raises:
        Unreadable: a browser drops a rule with it, or its meaning is not known here.
    """
    return _Reader(text.strip(BLANKS), caseless=caseless).selector()


class _Reader:
    """Reads one selector, token by token."""

    def __init__(self, text: str, *, caseless: bool) -> None:
        self._text = text
        self._caseless = caseless
        self._position = 0
        self._specificity = [0, 0, 0]
        self._dynamic = False
        self._pseudo_element = False

    def selector(self) -> Selector:
        steps: list[tuple[str, Compound]] = []
        combinator = ""
        while True:
            steps.append((combinator, self._compound()))
            if self._position == len(self._text):
                break
            if self._pseudo_element:
                raise Unreadable(self._text)
            match = _TOKEN.match(self._text, self._position)
            if match is None or match["combinator"] is None:
                raise Unreadable(self._text)
            combinator = match["combinator"].strip(BLANKS) or " "
            self._position = match.end()
        a, b, c = self._specificity
        return Selector(tuple(steps), (a, b, c), self._dynamic, self._pseudo_element)

    def _compound(self) -> Compound:
        self._tag = ""
        self._identifiers: list[str] = []
        self._classes: list[str] = []
        self._tests: list[Test] = []
        self._questions: list[Question] = []
        self._choices: list[Choice] = []
        start = self._position
        while match := _TOKEN.match(self._text, self._position):
            if match["combinator"] is not None:
                break
            if match["type"] and self._position != start:
                raise Unreadable(self._text)
            self._position = match.end()
            self._simple(match)
        if self._position == start:
            raise Unreadable(self._text)
        return Compound(
            self._tag,
            tuple(sorted(self._identifiers)),
            tuple(sorted(self._classes)),
            tuple(self._tests),
            tuple(self._questions),
            tuple(self._choices),
        )

    def _simple(self, match: re.Match[str]) -> None:
        if match["class"]:
            self._classes.append(self._name(match["class"]))
            self._specificity[1] += 1
        elif match["id"]:
            self._identifiers.append(self._name(match["id"]))
            self._specificity[0] += 1
        elif match["type"]:
            if match["type"] != "*":
                self._tag = _unescaped(match["type"]).lower()
                self._specificity[2] += 1
        elif match["attribute"]:
            self._tests.append(_test(match))
            self._specificity[1] += 1
        elif match["colons"] == ":" and match["pseudo"].lower() not in _ELEMENTS_WITH_ONE_COLON:
            self._pseudo_class(match["pseudo"].lower(), bool(match["open"]))
        else:
            self._read_pseudo_element(match["pseudo"].lower(), bool(match["open"]))

    def _name(self, source: str) -> str:
        name = _unescaped(source)
        return name.lower() if self._caseless else name

    def _pseudo_class(self, name: str, has_argument: bool) -> None:  # noqa: FBT001
        argument = self._argument() if has_argument else ""
        if name in _LISTS and has_argument:
            self._choice(name, argument)
            return
        self._specificity[1] += 1
        if name in _DYNAMIC:
            self._dynamic = True
        elif name in _NTHS and has_argument:
            self._questions.append(Question(name, *_nth(argument)))
        elif has_argument:
            raise Unreadable(self._text)
        elif name in _OF_PLACE:
            self._questions.append(Question(*_OF_PLACE[name]))
        elif name in _BOTH_ENDS:
            self._questions += [Question(*_OF_PLACE[each]) for each in _BOTH_ENDS[name]]
        elif name in {"root", "scope"}:
            self._questions.append(Question("root"))
        elif name == "empty":
            self._questions.append(Question("empty"))
        elif name in {"link", "any-link", "-webkit-any-link"}:
            self._tests.append(Test("href"))
            self._choices.append(_LINKS)
        elif name != "defined":
            raise Unreadable(self._text)

    def _read_pseudo_element(self, name: str, has_argument: bool) -> None:  # noqa: FBT001
        if has_argument:
            self._argument()
        elif name not in _PSEUDO_ELEMENTS and not name.startswith("-webkit-"):
            raise Unreadable(self._text)
        self._pseudo_element = True
        self._specificity[2] += 1

    def _choice(self, name: str, argument: str) -> None:
        choices = [
            parse(argument[start:end], caseless=self._caseless) for start, end in parts(argument)
        ]
        if any(each.pseudo_element for each in choices):
            raise Unreadable(self._text)
        if name != "where":
            weight = max(each.specificity for each in choices)
            self._specificity = [a + b for a, b in zip(self._specificity, weight, strict=True)]
        if any(each.dynamic for each in choices):
            self._dynamic = True
            if name == "not":
                return
        self._choices.append(Choice(tuple(choices), name == "not"))

    def _argument(self) -> str:
        match = _ARGUMENT.match(self._text, self._position)
        if match is None or self._text[match.end() : match.end() + 1] != ")":
            raise Unreadable(self._text)
        self._position = match.end() + 1
        return match[0]


_LINKS = Choice(
    (
        Selector((("", Compound("a")),), (0, 0, 0)),
        Selector((("", Compound("area")),), (0, 0, 0)),
    ),
    none_of_them=False,
)


def _test(match: re.Match[str]) -> Test:
    name = _unescaped(match["name"]).lower()
    if not match["operator"]:
        return Test(name)
    value = match["value"]
    value = _unescaped(value[1:-1] if value[0] in "\"'" else value)
    flag = match["flag"].lower()
    caseless = flag == "i" or (not flag and name in _CASELESS)
    return Test(name, match["operator"], value.lower() if caseless else value, caseless)


def _nth(argument: str) -> tuple[int, int]:
    match = _NTH.match(argument)
    if match is None:
        raise Unreadable(argument)
    if match["word"]:
        return 2, int(match["word"].lower() == "odd")
    if match["only"]:
        return 0, int(match["only"])
    step = match["step"]
    number = int(f"{step}1") if step in {"", "+", "-"} else int(step)
    return number, int(f"{match['sign']}{match['add']}") if match["add"] else 0


def _unescaped(source: str) -> str:
    return _ESCAPED.sub(_character, source) if "\\" in source else source


def _character(match: re.Match[str]) -> str:
    if match[2]:
        return match[2] if match[2].strip("\r\n\f") else ""
    number = int(match[1], 16)
    return chr(number) if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"
