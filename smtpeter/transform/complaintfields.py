"""The fields by which a complaint finds its message, and a sender his reputation."""

from __future__ import annotations

import re

from smtpeter.transform.draft import Draft

# What Gmail asks of the last part.
LEAST_CHARACTERS = 5
MOST_CHARACTERS = 15


def complaint_fields(draft: Draft, feedback_sender: str) -> str:
    """
    X-Message-ID and Feedback-ID for a message of somebody's, each with its CRLF; else "".

    X-Message-ID comes back with the header of the message, where a provider reports it. By the
    parts of Feedback-ID, Gmail counts how often mail is taken for spam; none may be the message's
    alone. A Feedback-ID that it has already stays the only one.

    Args:
        feedback_sender: the last part of Feedback-ID, the same for all mail of this house.
    """
    if draft.account_id is None:
        return ""
    lines = f"X-Message-ID: {draft.message_id}\r\n"
    if not _has_feedback_id(draft.content.header):
        template = f"t{draft.template_id}" if draft.template_id else ""
        parts = (template, draft.origin, f"a{draft.account_id}", feedback_sender)
        lines += f"Feedback-ID: {':'.join(parts)}\r\n"
    return lines


def _has_feedback_id(header: bytes) -> bool:
    """Not exact for a field in a folded line; it is asked for each message."""
    lowered = header.lower()
    return lowered.startswith(b"feedback-id") or b"\nfeedback-id" in lowered


def feedback_sender_of(hostname: str) -> str:
    """The last part of Feedback-ID where nothing else was said: 5 to 15 characters."""
    letters = re.sub("[^A-Za-z0-9]+", "-", hostname).strip("-")
    return letters[:MOST_CHARACTERS].strip("-").ljust(LEAST_CHARACTERS, "0")
