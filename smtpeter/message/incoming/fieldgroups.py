"""Fields in groups with empty lines between them (RFC 3464 section 2.1.2, RFC 5965 section 3)."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

from smtpeter.message.incoming.decoding import FIELD_CHARACTERS, Header

GROUPS = 200

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,60}) ?: ?(.*)")
_COMMENT = re.compile(r"\([^()]*+\)")
_COMMENT_DEPTH = 3


def groups_of(lines: Iterable[str], once: Container[str] = ()) -> list[Header]:
    """
    Read the groups among these lines, `GROUPS` of them at most.

    Lines that are no field and continue none are passed over.

    Args:
        once: names in lower case of which a group has one; with a second begins another group.
    """
    groups: list[Header] = []
    fields: list[tuple[str, str]] = []
    for line in (*lines, ""):
        match = _FIELD.match(line.lstrip())
        name = match[1].lower() if match else ""
        if line.startswith(" ") and fields:
            last, value = fields[-1]
            if len(value) < FIELD_CHARACTERS:
                fields[-1] = (last, f"{value} {line.strip()}")
            continue
        is_repeated = name in once and any(name == each for each, _ in fields)
        if fields and (not line or is_repeated):
            groups.append(Header.of(fields))
            fields = []
        if len(groups) == GROUPS:
            break
        if match:
            fields.append((name, match[2].strip()))
    return groups


def without_comments(value: str) -> str:
    """The value of a field without what stands in parentheses (RFC 5322 section 3.2.2)."""
    for _ in range(_COMMENT_DEPTH):
        shorter = _COMMENT.sub(" ", value)
        if shorter == value:
            break
        value = shorter
    return value.strip()
