"""What goes wrong in a request, as a status and a JSON document."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from smtpeter.message.reply import Refused

RETRY_AFTER_SECONDS = 30
_TRY_LATER = (429, 503, 507)
SHOWN_CHARACTERS = 200


class Problem(Exception):
    """
    The request cannot be met; the client is told why.

    Attributes:
        status: an HTTP status of 400 or more.
        text: one sentence for whoever wrote the client.
        headers: further fields of the answer.
    """

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = dict(headers or {})
        if status in _TRY_LATER:
            self.headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))

    @property
    def document(self) -> dict[str, object]:
        """What every error answers with."""
        return {"error": {"message": self.text}}

    @classmethod
    def from_refused(cls, refused: Refused) -> Problem:
        seconds = refused.retry_seconds
        headers = {} if seconds is None else {"Retry-After": str(max(1, math.ceil(seconds)))}
        return cls(refused.status, refused.reply.text.replace("\n", " "), headers)


def shown(value: object) -> str:
    """Write a value of a request for an error text: a string as it is, cut when it is long."""
    text = value if isinstance(value, str) else json_type(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def json_type(value: object) -> str:
    """Name the JSON type of a value, with its article."""
    if isinstance(value, str):
        return "a string"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return json.dumps(value) if value is None or isinstance(value, bool) else "a number"


def wrong_method(*allowed: str) -> Problem:
    methods = ", ".join(allowed)
    return Problem(405, f"The method must be one of: {methods}", {"Allow": methods})
