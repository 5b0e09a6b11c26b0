"""Which message a complaint is about: by the fields that we have put into it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from smtpeter.message.bounceaddress import BounceAddresses, Claim
from smtpeter.message.incoming.findings import Complaint

MESSAGE_ID_FIELD = "x-message-id"
RETURN_PATH = "return-path"
_MOST = 20

_MESSAGE_ID = re.compile(r"[A-Za-z0-9]{16}")
_LOCAL_PART = re.compile(r"<?([^<>@\s]{1,64})@")


def message_ids(complaint: Complaint, addresses: BounceAddresses, now: float) -> list[str]:
    """
    The ids that a complaint names, the likeliest first, each once.

    That one of them is the id of a message, only the store can tell.

    Args:
        now: seconds since the epoch.
    """
    return list(dict.fromkeys(_ids(complaint, addresses, now)))[:_MOST]


def _ids(complaint: Complaint, addresses: BounceAddresses, now: float) -> Iterator[str]:
    for path in (*complaint.returned.all(RETURN_PATH), complaint.mail_from):
        local = _LOCAL_PART.match(path.strip())
        claim = addresses.read(local[1], now) if local else None
        if isinstance(claim, Claim):
            yield claim.message_id
    for value in complaint.returned.all(MESSAGE_ID_FIELD):
        if _MESSAGE_ID.fullmatch(value):
            yield value
