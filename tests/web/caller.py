"""An HTTP client, and a whole site behind it, in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from attrs import frozen
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, execute, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from smtpeter.accounts.interfaces import IBearerToken, ISender
from smtpeter.budget import ContentBudget
from smtpeter.message.envelope import Accepted, Submission
from smtpeter.message.features import REST_DEFAULTS
from smtpeter.web.api.submission import Limits
from smtpeter.web.root import root_resource
from smtpeter.web.site import Channel, Site

TOKEN = "Xk29fGqL"
CLIENT = "203.0.113.9"
NOW = 1_900_000_000.0
MAX_BODY_OCTETS = 100_000

MINIMAL: dict[str, Any] = {
    "recipient": "kees@mailbox.example",
    "from": "noor@shop.example",
    "text": "Hello",
}


@frozen
class Answer:
    """One response, read."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The text of an error, whose document has exactly one shape."""
        (error,) = self.document.values()
        (message,) = error.values()
        assert self.document == {"error": {"message": message}}
        return str(message)


@implementer(ISender)
class RecordingSender:
    """Keeps what is submitted; answers with `result`, or with ids that count."""

    account_id = 7
    may_send = True

    def __init__(self) -> None:
        self.submissions: list[Submission] = []
        self.result: Deferred[Accepted] | None = None
        self.logouts = 0

    def submit(self, submission: Submission) -> Deferred[Accepted]:
        self.submissions.append(submission)
        if self.result is not None:
            return self.result
        count = len(submission.envelope.recipients)
        return succeed(Accepted(tuple(f"id{n}" for n in range(1, count + 1)), REST_DEFAULTS))

    def logout(self) -> None:
        self.logouts += 1


@implementer(ICredentialsChecker, IRealm)
class OneToken:
    """Knows one token; fails with `failure` when there is one."""

    credentialInterfaces = (IBearerToken,)

    def __init__(self, sender: RecordingSender) -> None:
        self.sender = sender
        self.failure: Exception | None = None

    def requestAvatarId(self, credentials: IBearerToken) -> Deferred[bytes | tuple[()]]:
        if self.failure is not None:
            raise self.failure
        if credentials.token != TOKEN:
            raise UnauthorizedLogin
        return succeed(b"token:1")

    def requestAvatar(
        self, avatarId: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> Deferred[tuple[type[Interface], Any, Callable[[], None]]]:
        assert (avatarId, mind, interfaces) == (b"token:1", None, (ISender,))
        return succeed((ISender, self.sender, self.sender.logout))


class Caller:
    """A site on a clock, and connections to it."""

    def __init__(self, *, https: bool = True) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.sender = RecordingSender()
        self.tokens = OneToken(self.sender)
        self.budget = ContentBudget(10 * MAX_BODY_OCTETS)
        self.threads: list[str] = []
        root = root_resource(
            Portal(self.tokens, [self.tokens]),
            https=https,
            in_thread=self._in_thread,
            clock=self.clock,
            limits=Limits(recipients=1000, message_octets=MAX_BODY_OCTETS),
        )
        self.site = Site(root, self.clock, self.budget, MAX_BODY_OCTETS, max_connections=3)

    def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        self.threads.append(function.__name__)
        return execute(function, *arguments)

    def connect(self) -> Connection:
        channel = self.site.buildProtocol(None)
        assert channel is not None
        return Connection(channel)

    def call(
        self,
        body: bytes = b"",
        content_type: str | None = None,
        *,
        target: str = f"/v1/send?access_token={TOKEN}",
        method: str = "POST",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Make a call on a connection of its own."""
        connection = self.connect()
        connection.send(request(body, content_type, target=target, method=method, headers=headers))
        (answer,) = connection.answers(head=method == "HEAD")
        connection.lose()
        return answer

    def post(self, document: object, **kwargs: Any) -> Answer:
        return self.call(json.dumps(document).encode(), "application/json", **kwargs)

    def post_form(self, *pairs: tuple[str, str]) -> Answer:
        return self.call(urlencode(pairs).encode(), "application/x-www-form-urlencoded")

    def submitted(self, document: object) -> Submission:
        """What a call that must succeed submits."""
        answer = self.post(document)
        assert answer.status == 200, answer.body
        return self.sender.submissions[-1]


class Connection:
    """A client's side of one connection."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", CLIENT, 4321))
        channel.makeConnection(self.transport)

    def send(self, octets: bytes) -> None:
        self.channel.dataReceived(octets)

    def lose(self) -> None:
        self.channel.connectionLost(Failure(ConnectionDone()))

    def answers(self, *, head: bool = False) -> list[Answer]:
        """The answers since the last time."""
        rest = self.transport.value()
        self.transport.clear()
        answers = []
        while rest:
            block, _, rest = rest.partition(b"\r\n\r\n")
            status_line, *lines = block.decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
            octets = 0 if head else int(headers.get("content-length", 0))
            answers.append(Answer(int(status_line.split()[1]), headers, rest[:octets]))
            rest = rest[octets:]
        return answers


def request(
    body: bytes = b"",
    content_type: str | None = None,
    *,
    target: str = f"/v1/send?access_token={TOKEN}",
    method: str = "POST",
    headers: dict[str, str] | None = None,
) -> bytes:
    """Write a request."""
    fields = {"Host": "api.relay.example", "Content-Length": str(len(body))} | (headers or {})
    if content_type is not None:
        fields["Content-Type"] = content_type
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {fields[name]}" for name in fields)]
    return "\r\n".join([*lines, "", ""]).encode() + body
