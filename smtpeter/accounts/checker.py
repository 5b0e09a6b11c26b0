"""
The checkers of the one portal: passwords for SMTP, tokens for REST.

`twisted.cred` wants one checker for each kind of credentials. Both answer with an avatar id
such as b"login:7", or fail with `UnauthorizedLogin` without a word on the cause, or with
`CheckUnavailable` when nobody can tell.
"""

from __future__ import annotations

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from smtpeter.accounts.identities import Identities, Identity
from smtpeter.accounts.interfaces import IBearerToken
from smtpeter.accounts.passwords import token_digest
from smtpeter.accounts.verifying import PasswordVerifier

MAX_USERNAME_CHARACTERS = 320  # an e-mail address may have 64 + 1 + 255
MAX_TOKEN_CHARACTERS = 100

AvatarId = bytes | tuple[()]  # the empty tuple is cred's word for nobody; it is never given


@implementer(ICredentialsChecker)
class PasswordChecker:
    """
    Takes the user name and password of a login, or the e-mail address and password of an
    account. Nothing is trimmed or folded: a blank belongs to the password.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, identities: Identities, verifier: PasswordVerifier) -> None:
        self._identities = identities
        self._verifier = verifier

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[AvatarId]:
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: IUsernamePassword) -> AvatarId:
        username = _text(credentials.username)
        password = _text(credentials.password)
        identity = await self._identity(username)
        if identity is None:  # costs the same time as a wrong password
            await self._verifier.verify(password, self._verifier.hash_for_nobody(username))
            raise UnauthorizedLogin
        if not await self._verifier.verify(password, identity.password_hash):
            raise UnauthorizedLogin
        return identity.avatar_id

    async def _identity(self, username: str) -> Identity | None:
        # PostgreSQL refuses a NUL in a text with an error; no name has one.
        if "\0" in username or len(username) > MAX_USERNAME_CHARACTERS:
            return None
        if "@" in username:
            return await self._identities.account(username)
        return await self._identities.login(username)


@implementer(ICredentialsChecker)
class TokenChecker:
    """Takes REST tokens."""

    credentialInterfaces = (IBearerToken,)

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    def requestAvatarId(self, credentials: IBearerToken) -> Deferred[AvatarId]:
        return Deferred.fromCoroutine(self._check(credentials.token))

    async def _check(self, token: str) -> AvatarId:
        if not (token.isascii() and len(token) <= MAX_TOKEN_CHARACTERS):
            raise UnauthorizedLogin
        identity = await self._identities.token(token_digest(token))
        if identity is None:
            raise UnauthorizedLogin
        return identity.avatar_id


def _text(value: bytes | str) -> str:
    """Credentials are UTF-8 (RFC 4616 section 2); what is not fits nobody."""
    try:
        octets = value.encode() if isinstance(value, str) else value
        return octets.decode()
    except UnicodeError:
        raise UnauthorizedLogin from None
