"""Lists of mailboxes with names, as header fields and people write them (RFC 5322 section 3.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from attrs import field

from smtpeter.message.address import AddressError, Mailbox
from smtpeter.values import frozen

SHOWN_CHARACTERS = 100

_ADDR_SPEC = r"[^\s<>()\",:;@\\]+@[^\s<>()\",:;@\\]+"
_BARE = re.compile(rf"{_ADDR_SPEC}\Z")
_NAMED = re.compile(
    r"(?:\"([^\"\\\x00-\x1f\x7f]*)\"[ ]?|([^\"(),:;<>@\[\]\\\x00-\x1f\x7f]*+))"
    rf"<({_ADDR_SPEC})>\Z"
)
_FOLD = re.compile(r"\r\n(?=[ \t])")
_SPACES = re.compile(r"[ \t]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPED = re.compile(r"\\(.)")

# Encoded-words come first: mailers put commas and parentheses in them, although
# RFC 2047 section 5 (3) forbids it.
_TOKEN = re.compile(
    r"""
    (?P<space>[ \t]+)
    | (?P<word>=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=)
    | (?P<quoted>"[^"\\]*+(?:\\.[^"\\]*+)*+")
    | (?P<literal>\[[^\[\]\\]*\])
    | (?P<special>[(),:;<>@])
    | (?P<atom>[^ \t"(),:;<>@\[\]\\]+)
    | (?P<stray>.)
    """,
    re.VERBOSE,
)
_COMMENT_PIECE = re.compile(r"[^()\\]+|\\.|[()\\]")


@frozen
class NamedMailbox:
    """
    A mailbox and the name that stands with it.

    Attributes:
        name: without quotes; encoded-words (RFC 2047) are left encoded; "" for none.
    """

    name: str
    mailbox: Mailbox


def parse_address_list(text: str) -> tuple[NamedMailbox, ...]:
    """
    Read one or more addresses separated by commas.

    Names may hold what real mail has in them without quotes: dots, an @, brackets, and
    comments, which stay part of a name. A comment behind a bare address is its name.
    Groups (RFC 5322 section 3.4) give their members, and source routes (section 4.4)
    are passed over. Takes time in proportion to the length of the text.

    Raises:
        AddressError: it holds no address, or something that is none.
    """
    if _BARE.match(text):
        return (NamedMailbox("", _mailbox(text)),)
    if named := _NAMED.match(text):
        quoted, bare, addr_spec = named.groups()
        name = quoted if bare is None else bare
        if "  " not in name:
            return (NamedMailbox(name.strip(" "), _mailbox(addr_spec)),)
    return _read(text)


class _Token(NamedTuple):
    """A piece of the text; `kind` is a group of `_TOKEN`, or "comment"."""

    kind: str
    text: str


@frozen
class _Element:
    """
    What stands between two commas.

    Attributes:
        outside: the tokens before an angle bracket, or all.
        inside: the tokens between the angle brackets; None without brackets.
        after: the tokens behind the closing bracket.
    """

    outside: list[_Token] = field(factory=list)
    inside: list[_Token] | None = None
    after: list[_Token] = field(factory=list)


def _read(text: str) -> tuple[NamedMailbox, ...]:
    text = _FOLD.sub("", text)
    if _CONTROL.search(text):
        raise AddressError("it holds a line break or another control character")
    mailboxes = tuple(map(_named_mailbox, _elements(_tokens(text))))
    if not mailboxes:
        raise AddressError("it holds no address")
    return mailboxes


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None
        position = match.end()
        kind = match.lastgroup
        assert kind is not None
        if match[0] == '"':
            raise AddressError("a quote is not closed")
        if match[0] == "(":
            comment, position = _comment(text, position)
            yield _Token("comment", comment)
        else:
            yield _Token(kind, match[0])


def _comment(text: str, start: int) -> tuple[str, int]:
    """Return the inside of the comment whose bracket stands before `start`, and its end."""
    depth = 1
    for piece in _COMMENT_PIECE.finditer(text, start):
        if piece[0] == "(":
            depth += 1
        elif piece[0] == ")":
            depth -= 1
        if depth == 0:
            return _ESCAPED.sub(r"\1", text[start : piece.start()]).strip(" \t"), piece.end()
    raise AddressError("a comment is not closed")


def _elements(tokens: Iterator[_Token]) -> Iterator[_Element]:
    """Cut at the commas, and take the members out of groups."""
    element = _Element()
    in_group = False
    for token in tokens:
        if token == ("special", ","):
            yield from _unless_empty(element)
            element = _Element()
        elif token == ("special", ":") and not in_group and element.inside is None:
            element, in_group = _Element(), True  # what stood before it names the group
        elif token == ("special", ";") and in_group:
            yield from _unless_empty(element)
            element, in_group = _Element(), False
        elif token == ("special", "<") and element.inside is None:
            element = _Element(element.outside, _until_angle(tokens))
        elif element.inside is not None:
            element.after.append(token)
        else:
            element.outside.append(token)
    yield from _unless_empty(element)


def _unless_empty(element: _Element) -> Iterator[_Element]:
    """Commas with nothing between them are allowed (RFC 5322 section 4.4, obs-addr-list)."""
    tokens = (*element.outside, *element.after)
    if element.inside is not None or any(
        token.kind not in ("space", "comment") for token in tokens
    ):
        yield element


def _until_angle(tokens: Iterator[_Token]) -> list[_Token]:
    inside: list[_Token] = []
    for token in tokens:
        if token == ("special", ">"):
            return inside
        inside.append(token)
    raise AddressError("an angle bracket is not closed")


def _named_mailbox(element: _Element) -> NamedMailbox:
    if element.inside is None:
        return NamedMailbox(_comments(element.outside), _addr_spec(element.outside))
    mailbox = _addr_spec(_without_route(element.inside))
    for token in element.after:
        if token.kind not in ("space", "comment"):
            raise AddressError(f"a comma is missing between <{mailbox}> and {_shown(token.text)}")
    return NamedMailbox(_phrase(element.outside) or _comments(element.after), mailbox)


def _phrase(tokens: list[_Token]) -> str:
    """Make a display name of the words; a comment among them keeps its parentheses."""
    if all(token.kind in ("space", "comment") for token in tokens):
        return _comments(tokens)
    return "".join(map(_as_name, tokens)).strip(" \t")


def _as_name(token: _Token) -> str:
    if token.kind == "quoted":
        return _unquoted(token.text)
    if token.kind == "comment":
        return f"({token.text})"
    return " " if token.kind == "space" else token.text


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(r"\1", text[1:-1])


def _comments(tokens: list[_Token]) -> str:
    return " ".join(token.text for token in tokens if token.kind == "comment" and token.text)


def _without_route(tokens: list[_Token]) -> list[_Token]:
    """Drop a source route such as @a.example,@b.example: (RFC 5322 section 4.4, obs-route)."""
    first = next((token.text for token in tokens if token.kind not in ("space", "comment")), "")
    if first == "@" and ("special", ":") in tokens:
        return tokens[tokens.index(_Token("special", ":")) + 1 :]
    return tokens


def _addr_spec(tokens: list[_Token]) -> Mailbox:
    """White space and comments may stand only around dots and the @ (obs-local-part)."""
    written: list[str] = []
    apart = False
    for token in tokens:
        if token.kind in ("space", "comment"):
            apart = True
            continue
        if apart and written and written[-1][-1] not in ".@" and token.text[0] not in ".@":
            raise AddressError(f"{_shown(_phrase(tokens))} is not one address")
        written.append(token.text)
        apart = False
    return _mailbox("".join(written))


def _mailbox(addr_spec: str) -> Mailbox:
    try:
        return Mailbox.parse(addr_spec)
    except AddressError as error:
        raise AddressError(f"{_shown(addr_spec)} is no address: {error}") from None


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}...")
