"""Drafts to send through stages."""

from smtpeter.message.content import Content
from smtpeter.message.envelope import Trace
from smtpeter.message.features import Features
from smtpeter.transform.draft import Draft

TRACE = Trace("desk.shop.example", "192.0.2.7", "ESMTPSA")
RECEIVED = 1_700_000_000.25


def draft(octets: bytes, trace: Trace = TRACE, features: Features | None = None) -> Draft:
    """A draft of a message with this content."""
    content = Content.from_octets(octets)
    return Draft("7hQx2LmPzR9aTc04", features or Features(), trace, RECEIVED, content)
