"""The trace field that every relay must add (RFC 5321 section 4.4)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from smtpeter.message.envelope import Trace
from smtpeter.transform.draft import Draft

# What a client called itself goes into the field only as far as it looks like a name.
_HARMLESS_NAME = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,255}\Z")


def received_field(draft: Draft, hostname: str) -> str:
    """The Received field of a message, with its CRLF; "" for what nobody handed to us."""
    if not draft.trace.protocol:
        return ""
    return (
        f"Received: from {_from_clause(draft.trace)}\r\n"
        f"\tby {hostname} with {draft.trace.protocol} id {draft.message_id};\r\n"
        f"\t{_date(int(draft.received))}\r\n"
    )


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
