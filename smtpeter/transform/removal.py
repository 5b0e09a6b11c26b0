"""Takes parts out of a message; the octets of all others stay as they are."""

from __future__ import annotations

from collections.abc import Container, Iterator

from smtpeter.message.content import Content
from smtpeter.message.parts import Part, parse, replaced
from smtpeter.transform.bodytext import OctetEdit

_RELATED = "multipart/related"


def without_parts(octets: bytes, root: Part, doomed: Container[int]) -> bytes:
    """
    Take parts out, each from its boundary line to the next.

    A multipart/related that is left with one part becomes that part.

    Args:
        root: of the message, as it was parsed.
        doomed: where the parts start; never all of a multipart, for one without parts
            is none (RFC 2046 section 5.1.1).
    """
    lonely = [any(child.start in doomed for child in part.children) for part in _relateds(root)]
    return _collapsed(replaced(octets, _removals(octets, root, doomed)), lonely)


def _removals(octets: bytes, root: Part, doomed: Container[int]) -> Iterator[OctetEdit]:
    for part in root.walk():
        if part.start in doomed:
            line_start = octets.rfind(b"\r\n", 0, part.start - 2) + 2
            yield (line_start, min(part.end + 2, len(octets)), b"")


def _relateds(root: Part) -> list[Part]:
    return [part for part in root.walk() if part.media_type == _RELATED]


def _collapsed(octets: bytes, lonely: list[bool]) -> bytes:
    """Put the only part of a multipart/related in its place, if it had more: `lonely` says."""
    root = parse(octets)
    hollow = {
        part.start
        for part, had_more in zip(_relateds(root), lonely, strict=False)
        if had_more and len(part.children) == 1 and _content_fields(octets, part)
    }
    return replaced(octets, _collapses(octets, root, hollow)) if hollow else octets


def _collapses(octets: bytes, part: Part, hollow: Container[int]) -> Iterator[OctetEdit]:
    survivor = part
    while survivor.start in hollow:
        survivor = survivor.children[0]
    if survivor is not part:
        yield from _takes_place(octets, part, survivor)
    for child in survivor.children:
        yield from _collapses(octets, child, hollow)


def _takes_place(octets: bytes, outer: Part, inner: Part) -> Iterator[OctetEdit]:
    """
    The edits that leave of a multipart one of its parts.

    Fields of a part that do not begin with Content- mean nothing (RFC 2046 section 5.1),
    and could mean something at the top of a message: they are not taken along.
    """
    first, *more = _content_fields(octets, outer)
    lines = (octets[start:end].rstrip(b"\r\n") for start, end in _content_fields(octets, inner))
    yield (*first, b"".join(b"%s\r\n" % line for line in lines))
    yield from ((start, end, b"") for start, end in more)
    yield (outer.body, inner.body, b"")
    # A message ends with a full line; a soft line break adds nothing to what the part says.
    ends_message = outer.end == len(octets) and octets.startswith(b"\r\n", inner.end)
    if ends_message and inner.encoding == "quoted-printable":
        yield (inner.end, outer.end, b"=\r\n")
    else:
        yield (inner.end + 2 if ends_message else inner.end, outer.end, b"")


def _content_fields(octets: bytes, part: Part) -> list[tuple[int, int]]:
    """Where the fields of a part stand that describe its body."""
    header = octets[part.start : part.body]
    return [
        (part.start + each.start, part.start + each.end)
        for each in Content((header,), len(header)).fields()
        if each.name.startswith("content-")
    ]
