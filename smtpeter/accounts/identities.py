"""Who is behind a user name, an e-mail address or a token, as of at most a second ago."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from attrs import evolve, field
from sqlalchemy import Connection
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from smtpeter.accounts.interfaces import CheckUnavailable
from smtpeter.expiring import Expiring
from smtpeter.message.features import REST_DEFAULTS, Features
from smtpeter.store import accounts as store
from smtpeter.store.database import StoreError
from smtpeter.store.standing import PLAIN, Standing, standing_of
from smtpeter.values import frozen

IDENTITY_SECONDS = 1.0  # whoever revokes or forbids waits this long: then it holds everywhere
MAX_IDENTITIES = 10_000

_T = TypeVar("_T")


class Readable(Protocol):
    """The part of `smtpeter.store.store.Store` that is needed here."""

    def read(self, function: Callable[..., _T], *args: Any) -> Deferred[_T]:
        """Call `function(connection, *args)` in a thread; fails with `StoreError`."""


@frozen
class Identity:
    """
    One good way to log in, and what it opens.

    Attributes:
        avatar_id: what the portal's checkers and its realm call it, such as b"login:7".
        origin: the door it opens, "smtp" or "rest".
        login: the user name, the account's e-mail address, or the token's label.
        password_hash: "" for a token.
        standing: what there is about the account, and about this way to log in.
    """

    avatar_id: bytes
    account_id: int
    may_send: bool
    origin: str
    login: str
    features: Features
    password_hash: str = field(default="", repr=False)
    standing: Standing = PLAIN


def find_login(connection: Connection, username: str) -> Identity | None:
    """The login of that name, unless it was revoked."""
    return _of_login(connection, store.login_by_username(connection, username))


def find_account(connection: Connection, email: str) -> Identity | None:
    """The account of that address, unless its owner keeps it from SMTP."""
    return _of_account(connection, store.account_by_email(connection, email))


def find_token(connection: Connection, digest: str) -> Identity | None:
    """The token with that digest, unless it was revoked."""
    return _of_token(connection, store.token_by_digest(connection, digest))


def find_avatar(connection: Connection, avatar_id: bytes) -> Identity | None:
    """The identity of that avatar id, unless it is good no longer."""
    kind, _, number = avatar_id.partition(b":")
    match kind:
        case b"login":
            return _of_login(connection, store.login_by_id(connection, int(number)))
        case b"account":
            return _of_account(connection, store.account_by_id(connection, int(number)))
        case b"token":
            return _of_token(connection, store.token_by_id(connection, int(number)))
        case _:
            return None


def _of_login(connection: Connection, login: store.Login | None) -> Identity | None:
    if login is None or login.revoked is not None:
        return None
    account = store.account_by_id(connection, login.account_id)
    assert account is not None  # a foreign key sees to it
    avatar_id = b"login:%d" % login.id
    return Identity(
        avatar_id=avatar_id,
        account_id=account.id,
        may_send=account.may_send,
        origin="smtp",
        login=login.username,
        features=evolve(login.features, priority=login.settings.priority),
        password_hash=login.password_hash,
        standing=_standing(connection, account, avatar_id),
    )


def _of_account(connection: Connection, account: store.Account | None) -> Identity | None:
    if account is None or not account.smtp_account_login:
        return None
    avatar_id = b"account:%d" % account.id
    return Identity(
        avatar_id=avatar_id,
        account_id=account.id,
        may_send=account.may_send,
        origin="smtp",
        login=account.email,
        features=Features(),
        password_hash=account.password_hash,
        standing=_standing(connection, account, avatar_id),
    )


def _of_token(connection: Connection, token: store.Token | None) -> Identity | None:
    if token is None or token.revoked is not None:
        return None
    account = store.account_by_id(connection, token.account_id)
    assert account is not None  # a foreign key sees to it
    avatar_id = b"token:%d" % token.id
    return Identity(
        avatar_id=avatar_id,
        account_id=account.id,
        may_send=account.may_send,
        origin="rest",
        login=token.name,
        features=evolve(REST_DEFAULTS, priority=token.settings.priority),
        standing=_standing(connection, account, avatar_id),
    )


def _standing(connection: Connection, account: store.Account, avatar_id: bytes) -> Standing:
    return standing_of(connection, account.id, account.pool, avatar_id.decode())


class Identities:
    """
    Looks up identities, and remembers those it found for a second.

    So a client that logs in for every message costs one look into the store a second. What
    was not found is not remembered: guesses push nobody out of the memory.

    Args:
        seconds: a clock that never goes back, such as `time.monotonic`.
    """

    _log = Logger()

    def __init__(self, database: Readable, seconds: Callable[[], float]) -> None:
        self._database = database
        self._seconds = seconds
        self._recent: Expiring[object, Identity] = Expiring(seconds, MAX_IDENTITIES)

    async def login(self, username: str) -> Identity | None:
        """Who logs in to SMTP by a user name of ours. Raises `CheckUnavailable`."""
        return await self._find(find_login, username)

    async def account(self, email: str) -> Identity | None:
        """Who logs in to SMTP by an account's e-mail address. Raises `CheckUnavailable`."""
        return await self._find(find_account, email.lower())

    async def token(self, digest: str) -> Identity | None:
        """Who shows a token with that digest. Raises `CheckUnavailable`."""
        return await self._find(find_token, digest)

    def avatar(self, avatar_id: bytes) -> Deferred[Identity | None]:
        """The identity of that avatar id, while it is good. Fails with `CheckUnavailable`."""
        known = self._recent.get(avatar_id)
        if known is not None:
            return succeed(known)
        return Deferred.fromCoroutine(self._find(find_avatar, avatar_id))

    async def _find(
        self, find: Callable[[Connection, Any], Identity | None], key: str | bytes
    ) -> Identity | None:
        known = self._recent.get((find, key))
        if known is not None:
            return known
        since = self._seconds()  # what is read was true at this moment or later
        try:
            found = await self._database.read(find, key)
        except StoreError as error:
            self._log.error("nobody can log in, the store says: {error}", error=error)
            raise CheckUnavailable("the store cannot be reached") from error
        if found is not None:
            rest = since + IDENTITY_SECONDS - self._seconds()
            self._recent.put((find, key), found, rest)
            self._recent.put(found.avatar_id, found, rest)
        return found
