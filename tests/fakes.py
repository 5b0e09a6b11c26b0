"""Stand-ins for the parts around a session: they remember, and answer when a test wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from smtpeter.accounts.interfaces import ISender
from smtpeter.message.address import Mailbox
from smtpeter.message.envelope import Accepted, Submission
from smtpeter.message.features import Features

USERNAME = "noor"
PASSWORD = "pass word"

AvatarId = bytes | tuple[()]

_Result = TypeVar("_Result")


class Gate(Generic[_Result]):
    """
    Lets results through at once while it is open, and holds them back while it is closed.

    A result that is an exception makes the Deferred fail.
    """

    def __init__(self) -> None:
        self.closed = False
        self.waiting: list[tuple[Deferred[_Result], _Result | Exception]] = []

    def through(self, result: _Result | Exception) -> Deferred[_Result]:
        deferred: Deferred[_Result] = Deferred()
        self.waiting.append((deferred, result))
        if not self.closed:
            self.let_one()
        return deferred

    def let_one(self) -> None:
        """Answer whoever has waited longest."""
        deferred, result = self.waiting.pop(0)
        if isinstance(result, Exception):
            deferred.errback(result)
        else:
            deferred.callback(result)

    def let_all(self) -> None:
        """Answer whoever waits, and whoever comes to wait because of that."""
        while self.waiting:
            self.let_one()


@implementer(ICredentialsChecker)
class FakeChecker:
    """
    Knows one user.

    Attributes:
        trouble: what it fails with instead of looking.
        instead: what it answers instead of all that.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self) -> None:
        self.gate: Gate[AvatarId] = Gate()
        self.trouble: Exception | None = None
        self.instead: Deferred[AvatarId] | None = None
        self.asked: list[tuple[bytes, bytes]] = []

    def requestAvatarId(self, credentials: Any) -> Deferred[AvatarId]:
        self.asked.append((credentials.username, credentials.password))
        known = self.asked[-1] == (USERNAME.encode(), PASSWORD.encode())
        if self.instead is not None:
            return self.instead
        return self.gate.through(self.trouble or (b"login:1" if known else UnauthorizedLogin()))


@implementer(ISender)
class FakeSender:
    """
    Keeps what is submitted.

    Attributes:
        trouble: what it fails with instead.
        suppressed: ids of messages that are not sent.
    """

    account_id = 1

    def __init__(self) -> None:
        self.gate: Gate[Accepted] = Gate()
        self.trouble: Exception | None = None
        self.may_send = True
        self.suppressed: frozenset[str] = frozenset()
        self.submissions: list[Submission] = []
        self._stored = 0

    def submit(self, submission: Submission) -> Deferred[Accepted]:
        self.submissions.append(submission)
        if self.trouble is not None:
            return self.gate.through(self.trouble)
        ids = tuple(self._next_id() for _ in submission.envelope.recipients)
        return self.gate.through(Accepted(ids, Features(), self.suppressed))

    @property
    def contents(self) -> list[bytes]:
        """The contents that were submitted."""
        return [bytes(submission.content) for submission in self.submissions]

    @property
    def recipients(self) -> list[list[str]]:
        """The recipients of each submission."""
        return [
            [str(recipient.mailbox) for recipient in submission.envelope.recipients]
            for submission in self.submissions
        ]

    def _next_id(self) -> str:
        self._stored += 1
        return f"id{self._stored}"


class FakeHome(FakeSender):
    """
    Knows some addresses, and keeps what is brought for them.

    Attributes:
        answers: whether it knows an address, or the error with which it fails.
        asking: holds back what it says of addresses.
    """

    def __init__(self, answers: Mapping[str, bool | Exception]) -> None:
        super().__init__()
        self.answers = answers
        self.asking: Gate[bool] = Gate()

    def knows(self, mailbox: Mailbox) -> Deferred[bool]:
        return self.asking.through(self.answers.get(str(mailbox), False))


@implementer(IRealm)
class FakeRealm:
    """Gives the one sender, and counts who logs out."""

    def __init__(self, sender: FakeSender) -> None:
        self._sender = sender
        self.logouts = 0

    def requestAvatar(
        self,
        avatarId: bytes | tuple[()],  # noqa: ARG002
        mind: object,  # noqa: ARG002
        *interfaces: type[Interface],  # noqa: ARG002
    ) -> tuple[type[Interface], Any, Any]:
        return ISender, self._sender, self._logout

    def _logout(self) -> None:
        self.logouts += 1


def portal(realm: FakeRealm, checker: FakeChecker) -> Portal:
    """A real portal between the two."""
    made: Portal = Portal(realm, [checker])
    return made


class FakeLoginLimit:
    """Remembers failures and successes; blocks and delays as a test says."""

    def __init__(self) -> None:
        self.failures: list[tuple[str, str]] = []
        self.successes: list[tuple[str, str]] = []
        self.blocking = False
        self.delay = 0.0

    def blocked(self, address: str, username: str) -> bool:  # noqa: ARG002
        return self.blocking

    def delay_seconds(self, address: str, username: str) -> float:  # noqa: ARG002
        return self.delay

    def failed(self, address: str, username: str) -> None:
        self.failures.append((address, username))

    def succeeded(self, address: str, username: str) -> None:
        self.successes.append((address, username))
