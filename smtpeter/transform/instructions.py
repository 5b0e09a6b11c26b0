"""Removes the instruction headers: no receiver ever sees one."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from smtpeter.transform.draft import Draft


def remove_instructions(draft: Draft, prefixes: Sequence[str]) -> Draft:
    """
    Take out every top-level header field with one of the prefixes, known or not.

    Nothing else of the message changes, and a message within this one keeps its own.

    Args:
        prefixes: in lower case.
    """
    header = draft.content.header.lower()
    if not any(prefix.encode() in header for prefix in prefixes):
        return draft
    doomed = [each for each in draft.content.fields() if each.name.startswith(tuple(prefixes))]
    return evolve(draft, content=draft.content.without(doomed))
