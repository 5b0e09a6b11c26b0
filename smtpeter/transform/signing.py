"""Signs the message as it leaves: the last stage of all (RFC 6376)."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from smtpeter.message.dkim import SigningKey, sign
from smtpeter.transform.draft import Draft


def signed(draft: Draft, keys: Sequence[SigningKey], now: float) -> Draft:
    """
    Put a DKIM-Signature field for each key on top of the message. Those that it has stay.

    Nothing may change the message afterwards. It takes milliseconds of the processor, for a
    large message many, and lets other threads run meanwhile.

    Args:
        now: seconds since the epoch.
    """
    if not keys:
        return draft
    return evolve(draft, content=draft.content.prepended(sign(draft.content, keys, now)))
