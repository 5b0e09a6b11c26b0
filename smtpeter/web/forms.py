"""Bodies of requests as fields: JSON and both kinds of HTML forms. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from smtpeter.web.problem import Problem, json_type, shown

MAX_PAIRS = 10_000
MAX_DEPTH = 8
# A list or object takes up to 30 times the memory of the two octets that write it.
MAX_JSON_BRACKETS = 250_000
# In these fields of a form a text that looks like JSON is JSON.
_ADDRESSES = ("recipient", "recipients", "from", "to", "cc", "bcc", "replyto")
_OTHERS = ("dsn", "unsubscribe", "extra", "headers", "attachments", "data", "patch", "tags")
STRUCTURED = frozenset({*_ADDRESSES, *_OTHERS})

_PIECE_OCTETS = 64 * 1024
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
_INDEX = re.compile(r"[0-9]{1,6}\Z")
_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
_RECIPIENTS_IN_BRACKETS = re.compile(r'"recipients?"\s*:\s*\[', re.IGNORECASE)

_BODY = "The request body"

Fields = dict[str, Any]


def read_fields(content_type: str | None, body: bytes) -> Fields:
    """
    Read a body as its Content-Type says.

    Without a type, or with another one, a body that begins with a brace is JSON; so is
    one that is labelled as a form, since no form begins so and one tool labels all so.

    Returns:
        The fields; names on the top level are in lower case, values are as in JSON.

    Raises:
        Problem: 400 for what is not well-formed or too deep, 415 for another type.
    """
    media_type, options = parse_options_header(content_type or "")
    looks_like_json = body.lstrip(b" \t\r\n").startswith(b"{")
    if media_type == "multipart/form-data":
        return _from_pairs(_multipart_pairs(body, options.get("boundary", "")))
    if media_type == "application/json" or looks_like_json:
        return _from_json(body)
    if media_type == "application/x-www-form-urlencoded" or not body:
        return _from_pairs(_urlencoded_pairs(body))
    raise Problem(
        415,
        "The Content-Type must be application/json, application/x-www-form-urlencoded or "
        f"multipart/form-data, not {shown(media_type) or 'missing'}",
    )


def _from_json(body: bytes) -> Fields:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_json(_BODY, f"octet {error.start + 1} is not UTF-8") from None
    document = _json(text, _BODY)
    if not isinstance(document, dict):
        raise Problem(400, f"{_BODY} must be a JSON object, not {json_type(document)}")
    if _HALF_PAIR.search(body):
        _refuse_half_pairs(document)
    return {name.lower(): value for name, value in document.items()}


def _json(text: str, what: str) -> Any:
    if text.count("[") + text.count("{") > MAX_JSON_BRACKETS:
        raise _not_json(what, f"it has more than {MAX_JSON_BRACKETS} brackets and braces")
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at line {error.lineno}, column {error.colno}"
        if text[error.pos : error.pos + 1] == ":" and _RECIPIENTS_IN_BRACKETS.search(text):
            reason += '; recipients with data are written as an object: {"ADDRESS": {...}}'
        raise _not_json(what, reason) from None
    except RecursionError:
        raise _not_json(what, "it is nested too deep") from None
    except ValueError as error:  # NaN, or a number with thousands of digits
        raise _not_json(what, str(error)) from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _refuse_half_pairs(document: object) -> None:
    """Refuse an escaped half of a surrogate pair: a text with it cannot be written as UTF-8."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _not_json(_BODY, "a text has half of a surrogate pair") from None


def _not_json(what: str, reason: str) -> Problem:
    return Problem(400, f"{what} is not valid JSON: {reason}")


def _urlencoded_pairs(body: bytes) -> Iterator[tuple[str, str]]:
    pairs = body.split(b"&", MAX_PAIRS)
    if len(pairs) > MAX_PAIRS:
        raise _too_many()
    for pair in filter(None, pairs):
        name, _, value = pair.partition(b"=")
        written_name = _text(_unquoted(name), "The name of a field")
        yield written_name, _text(_unquoted(value), f"The field {shown(written_name)}")


def _unquoted(octets: bytes) -> bytes:
    """Decode in pieces: the standard library takes 50 octets of memory for each escape."""
    octets = octets.replace(b"+", b" ")
    if b"%" not in octets:
        return octets
    pieces = []
    start = 0
    while start < len(octets):
        end = start + _PIECE_OCTETS
        escape = octets.rfind(b"%", end - 2, end)  # not to cut it
        end = escape if escape > start else end
        pieces.append(unquote_to_bytes(octets[start:end]))
        start = end
    return b"".join(pieces)


def _multipart_pairs(body: bytes, boundary: str) -> Iterator[tuple[str, str]]:
    """Read the parts of a form (RFC 7578); the contents of a file are a value like another."""
    name = ""
    value: list[bytes] = []
    try:
        with PushMultipartParser(boundary, max_segment_count=MAX_PAIRS) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    name, value = event.name or "", []
                elif event is not None:
                    value.append(bytes(event))
                else:
                    yield name, _text(b"".join(value), f"The field {shown(name)}")
    except ParserLimitReached as error:
        raise Problem(400, f"The form is too large: {error}") from None
    except (MultipartError, UnicodeError) as error:
        raise Problem(400, f"The form is not valid multipart/form-data: {error}") from None


def _text(octets: bytes, what: str) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Problem(400, f"{what} is not UTF-8") from None


def _too_many() -> Problem:
    return Problem(400, f"The form has more than {MAX_PAIRS} fields")


class _Branch:
    """What stands below one name, while a form is read; indices are keys like others."""

    def __init__(self, *children: str) -> None:
        self.children: dict[str, _Branch | str] = {}
        self._next_index = 0
        for child in children:
            self._append(child)

    def branch(self, key: str) -> _Branch:
        """Return the branch at a key, a new one at an empty key."""
        child = self.children.get(key)
        if isinstance(child, _Branch):
            return child
        grown = _Branch() if child is None else _Branch(child)
        self._put(key, grown) if key else self._append(grown)
        return grown

    def add(self, key: str, value: str) -> None:
        """Put a value at a key; values at the same or at an empty key make a list."""
        child = self.children.get(key)
        if not key:
            self._append(value)
        elif isinstance(child, _Branch):
            child.add("", value)
        else:
            self._put(key, value if child is None else _Branch(child, value))

    def fields(self) -> Fields | list[Any]:
        """Return an array when all keys are indices, else an object."""
        grown = {
            key: child.fields() if isinstance(child, _Branch) else child
            for key, child in self.children.items()
        }
        if all(map(_INDEX.match, grown)):
            return [grown[key] for key in sorted(grown, key=int)]
        return grown

    def _put(self, key: str, child: _Branch | str) -> None:
        self.children[key] = child
        if _INDEX.match(key):
            self._next_index = max(self._next_index, int(key) + 1)

    def _append(self, child: _Branch | str) -> None:
        self._put(str(self._next_index), child)


def _from_pairs(pairs: Iterator[tuple[str, str]]) -> Fields:
    """Bring the pairs of a form into the shape that JSON would have."""
    root = _Branch()
    for name, value in pairs:
        *above, key = _path(name)
        branch = root
        for each in above:
            branch = branch.branch(each)
        branch.add(key, value)
    return {name: _value(name, child) for name, child in root.children.items()}


def _path(name: str) -> list[str]:
    """Read "unsubscribe[url]" as ["unsubscribe", "url"]; the first name in lower case."""
    match = _NAME.match(name)
    if match is None:
        raise Problem(400, f"A field cannot be named {shown(name)!r}")
    path = [match[1].lower()]
    if match[2]:
        path += match[2][1:-1].split("][")
    if len(path) > MAX_DEPTH:
        raise Problem(400, f"The field {shown(name)} is nested deeper than {MAX_DEPTH} levels")
    return path


def _value(name: str, child: _Branch | str) -> Any:
    if isinstance(child, _Branch):
        return child.fields()
    if name in STRUCTURED and child.lstrip().startswith(("{", "[")):
        return _json(child, f"The field {name}")
    return child
