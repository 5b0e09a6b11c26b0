"""The realm of the one portal: whoever has logged in becomes a sender."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from smtpeter.accounts.identities import Identities, Identity
from smtpeter.accounts.interfaces import CheckUnavailable, IIntake, ISender, SenderInfo
from smtpeter.message.envelope import Accepted, Submission
from smtpeter.message.reply import Refused, Reply, storage_unavailable


def no_permission() -> Refused:
    """The account is known, but nobody has approved it to send."""
    return Refused(Reply(550, "5.7.1", "You do not have permission to send email"), 403)


def no_longer_valid() -> Refused:
    """The login or token was revoked since it opened the session (RFC 4954 section 6)."""
    return Refused(Reply(530, "5.7.0", "Authentication required"), 401)


@implementer(ISender)
class Sender:
    """
    Somebody who has logged in.

    A session may last for hours. So each submission asks again whether the login is still
    good and the account may still send, which mostly costs nothing: see `Identities`.
    """

    def __init__(self, identity: Identity, identities: Identities, intake: IIntake) -> None:
        self.account_id = identity.account_id
        self.may_send = identity.may_send
        self._avatar_id = identity.avatar_id
        self._identities = identities
        self._intake = intake

    def submit(self, submission: Submission) -> Deferred[Accepted]:
        asked = self._identities.avatar(self._avatar_id)
        permitted: Deferred[SenderInfo] = asked.addCallbacks(_permitted, _cannot_be_asked)
        return permitted.addCallback(self._intake.submit, submission)


def _permitted(identity: Identity | None) -> SenderInfo:
    if identity is None:
        raise no_longer_valid()
    if not identity.may_send:
        raise no_permission()
    return SenderInfo(
        identity.account_id,
        identity.origin,
        identity.login,
        identity.features,
        identity.avatar_id.decode(),
        identity.standing,
    )


def _cannot_be_asked(failure: Failure) -> NoReturn:
    failure.trap(CheckUnavailable)
    raise storage_unavailable() from failure.value


@implementer(IRealm)
class SenderRealm:
    """Gives `ISender` avatars to both front doors."""

    def __init__(self, identities: Identities, intake: IIntake) -> None:
        self._identities = identities
        self._intake = intake

    def requestAvatar(
        self,
        avatarId: bytes | tuple[()],
        mind: object,  # noqa: ARG002 -- cred passes it to every realm
        *interfaces: type[Interface],
    ) -> Deferred[tuple[type[Interface], Any, Callable[[], None]]]:
        """
        The sender of an avatar id that a checker gave.

        Fails with `UnauthorizedLogin` when it was revoked while its password was checked.
        """
        if ISender not in interfaces:
            raise NotImplementedError("this realm has ISender only")
        return Deferred.fromCoroutine(self._sender(avatarId))

    async def _sender(
        self, avatar_id: bytes | tuple[()]
    ) -> tuple[type[Interface], Any, Callable[[], None]]:
        identity = await self._identities.avatar(avatar_id) if avatar_id else None
        if identity is None:
            raise UnauthorizedLogin
        return ISender, Sender(identity, self._identities, self._intake), _logout


def _logout() -> None:
    """A sender holds nothing that needs to be given back."""
