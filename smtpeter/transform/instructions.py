"""Removes the instruction headers: no receiver ever sees one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from attrs import evolve

from smtpeter.message.content import Field
from smtpeter.transform.draft import Draft


def remove_instructions(draft: Draft, prefixes: Sequence[str]) -> Draft:
    """
    Take out every top-level header field with one of the prefixes, known or not.

    Lines that begin like one and are no field at all go as well. Nothing else of the
    message changes, and a message within this one keeps its own.

    Args:
        prefixes: in lower case.
    """
    header = draft.content.header
    octets = header.lower()
    if not any(prefix.encode() in octets for prefix in prefixes):  # most have none
        return draft
    doomed = [
        Field(name="", start=match.start(), end=match.end(), raw=b"")
        for match in _instructions(tuple(prefixes)).finditer(header)
    ]
    return evolve(draft, content=draft.content.without(doomed)) if doomed else draft


@lru_cache(maxsize=16)
def _instructions(prefixes: tuple[str, ...]) -> re.Pattern[bytes]:
    """A line that begins with a prefix, in any case, with the lines that continue it."""
    begin = b"|".join(re.escape(prefix.encode()) for prefix in prefixes)
    line = rb"[^\r\n]*(?:\r\n|\Z)"
    return re.compile(rb"^(?:%s)%s(?:[ \t]%s)*" % (begin, line, line), re.MULTILINE | re.IGNORECASE)
