"""Who is calling: the access token of a request becomes a sender (RFC 6750)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote_plus

from twisted.cred.error import LoginDenied, UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.logger import Logger

from smtpeter.accounts.interfaces import BearerToken, CheckUnavailable, ISender
from smtpeter.web.problem import Problem

PARAMETER = b"access_token"

_log = Logger()


def split_token(target: bytes) -> tuple[bytes, str | None]:
    """
    Take the access token out of a request target, so that nothing can log it.

    Returns:
        The target without it, and the last token in the query; None when there is none.
    """
    path, mark, query = target.partition(b"?")
    if not mark:
        return target, None
    kept: list[bytes] = []
    token: str | None = None
    for parameter in query.split(b"&"):
        name, _, value = parameter.partition(b"=")
        if _decoded(name) == PARAMETER.decode():
            token = _decoded(value)
        else:
            kept.append(parameter)
    return (path + mark + b"&".join(kept) if kept else path), token


def bearer_token(authorization: str | None) -> str | None:
    """Return the token of an Authorization field, None when it holds none."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


@asynccontextmanager
async def logged_in(portal: Portal, token: str | None) -> AsyncIterator[ISender]:
    """
    Log in for the time of a request, and out behind it.

    Raises:
        Problem: 401 for no token or a wrong one, 503 when it could not be checked.
    """
    if not token:
        raise _unauthorized()
    try:
        _, avatar, logout = await portal.login(BearerToken(token), None, ISender)
    except (UnauthorizedLogin, LoginDenied):
        raise _unauthorized() from None
    except Exception as error:
        if not isinstance(error, CheckUnavailable):
            _log.failure("an access token could not be checked")
        raise Problem(503, "The access token cannot be checked now, try again later") from error
    try:
        yield ISender(avatar)
    finally:
        logout()


def _unauthorized() -> Problem:
    return Problem(401, "Invalid access token", {"WWW-Authenticate": "Bearer"})


def _decoded(text: bytes) -> str:
    return unquote_plus(text.decode("latin-1"), errors="replace")
