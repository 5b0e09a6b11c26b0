"""Adds the trace field that every relay must add (RFC 5321 section 4.4)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from attrs import evolve

from smtpeter.message.envelope import Trace
from smtpeter.transform.draft import Draft

# What a client called itself goes into the field only as far as it looks like a name.
_HARMLESS_NAME = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,255}\Z")


def add_received(draft: Draft, hostname: str) -> Draft:
    """Put a Received field on top of the message."""
    if not draft.trace.protocol:
        return draft
    line = (
        f"Received: from {_from_clause(draft.trace)}\r\n"
        f"\tby {hostname} with {draft.trace.protocol} id {draft.message_id};\r\n"
        f"\t{_date(int(draft.received))}\r\n"
    )
    return evolve(draft, content=draft.content.prepended(line.encode("ascii")))


@lru_cache(maxsize=64)
def _date(seconds: int) -> str:
    """RFC 5322 section 3.3; many messages of one second share it."""
    return format_datetime(datetime.fromtimestamp(seconds, UTC))


def _from_clause(trace: Trace) -> str:
    address = trace.address.partition("%")[0]  # a zone means nothing elsewhere
    literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
    if not trace.helo:
        return literal
    name = trace.helo if _HARMLESS_NAME.match(trace.helo) else "unknown"
    return f"{name} ({literal})"
