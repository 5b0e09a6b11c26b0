"""AUTH PLAIN and LOGIN, step by step (RFC 4954, RFC 4616). Knows no transport."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Generator

from attrs import field

from smtpeter.message.reply import Reply
from smtpeter.values import frozen

MECHANISMS = ("PLAIN", "LOGIN")

CANCELLED = Reply(501, "5.7.0", "Authentication cancelled")
NOT_BASE64 = Reply(501, "5.5.2", "Cannot decode base64")
UNKNOWN_MECHANISM = Reply(504, "5.5.4", "Unrecognized authentication type")
INVALID = Reply(535, "5.7.8", "Authentication credentials invalid")

_USERNAME = "VXNlcm5hbWU6"
_PASSWORD = "UGFzc3dvcmQ6"  # noqa: S105 - the word "Password:" in base64


class SaslError(ValueError):
    """The exchange ends without credentials; `reply` says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


@frozen
class Credentials:
    """What the client presented."""

    username: str
    password: str = field(repr=False)


# It yields challenges in base64, is sent the client's responses, and returns credentials.
Exchange = Generator[str, str, Credentials]


def exchange(mechanism: str, initial: str | None) -> Exchange:
    """
    Begin an exchange; its steps raise `SaslError`.

    Args:
        mechanism: in upper case.
        initial: the initial response in base64, "=" for an empty one, None without.
    """
    if mechanism == "PLAIN":
        return _plain(initial)
    if mechanism == "LOGIN":
        return _login(initial)
    raise SaslError(UNKNOWN_MECHANISM)


def _plain(initial: str | None) -> Exchange:
    response = _decoded((yield "") if initial is None else initial)
    fields = response.split("\0")
    if len(fields) != 3:
        raise SaslError(INVALID)
    identity, username, password = fields
    if identity not in ("", username):  # nobody acts for somebody else here
        raise SaslError(INVALID)
    return Credentials(username, password)


def _login(initial: str | None) -> Exchange:
    username = _decoded((yield _USERNAME) if initial is None else initial)
    password = _decoded((yield _PASSWORD))
    if "\0" in username or "\0" in password:
        raise SaslError(INVALID)
    return Credentials(username, password)


def _decoded(response: str) -> str:
    if response == "*":
        raise SaslError(CANCELLED)
    if response == "=":
        return ""
    try:
        octets = base64.b64decode(response.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise SaslError(NOT_BASE64) from None
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError(INVALID) from None
