"""What comes by mail to addresses of our own: stored first, dealt with afterwards."""

from __future__ import annotations

ARRIVAL = "arrival"  # the origin of its submission
