"""Puts the fields of this house on top of a message, all of them at once."""

from __future__ import annotations

from attrs import evolve

from smtpeter.transform.complaintfields import complaint_fields
from smtpeter.transform.draft import Draft
from smtpeter.transform.received import received_field


def add_top_fields(draft: Draft, hostname: str, feedback_sender: str) -> Draft:
    """
    Add the trace field, and below it those for complaints.

    Args:
        hostname: our own.
        feedback_sender: as `complaint_fields` takes it, "" for no fields for complaints.
    """
    lines = received_field(draft, hostname)
    if feedback_sender:
        lines += complaint_fields(draft, feedback_sender)
    if not lines:
        return draft
    return evolve(draft, content=draft.content.prepended(lines.encode("ascii")))
