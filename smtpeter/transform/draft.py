"""A message on its way through the stages."""

from __future__ import annotations

from attrs import field

from smtpeter.message.content import Content
from smtpeter.message.envelope import Trace
from smtpeter.message.features import Features
from smtpeter.values import frozen


@frozen
class Draft:
    """
    One message for one recipient, as far as the stages have brought it.

    Attributes:
        received: when it was handed to us, seconds since the epoch.
    """

    message_id: str
    features: Features
    trace: Trace
    received: float
    content: Content = field(repr=False)
