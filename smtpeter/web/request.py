"""Requests: their bodies, tokens and names, and answers that are JSON documents."""

# twisted.web has few type hints.
# mypy: allow-untyped-calls
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.error import UnsupportedMethod
from twisted.web.http import NO_BODY_CODES
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET

from smtpeter.web.auth import bearer_token, split_token
from smtpeter.web.body import BodySpool
from smtpeter.web.problem import Problem, wrong_method

if TYPE_CHECKING:
    from smtpeter.web.site import Channel, Site

# A body that is too big is read to its end, so that the client sees the answer; but not for ever.
FLOOD_FACTOR = 2

_ORIGIN = re.compile(rb"\Ahttps?://[^/?]*", re.IGNORECASE)


class Request(server.Request):
    """
    One request.

    Attributes:
        id: names the request in the answer and in the log.
        token: the access token it came with, None for none.
        body: what `twisted.web` calls `content`.
        target: what is asked for, octet for octet as it came; it may hold a token.
        fixed_fields: further lines for the header of the answer.
        from_reader: it is that of somebody who reads mail; the access log does not tell of it.
        at_readers_host: it may be, as browsers ask for more than they are told to; no log tells
            the address.
        gone: the client has hung up; nobody reads an answer.
    """

    defaultContentType = b"application/json"
    channel: Channel
    site: Site
    _log = Logger()

    def __init__(self, channel: Channel, *args: Any, **kwargs: Any) -> None:
        super().__init__(channel, *args, **kwargs)
        self.id = token_hex(8)
        self.token: str | None = None
        self.body = BodySpool(channel.site.max_body_octets, channel.site.budget)
        self.target = b""
        self.fixed_fields = b""
        self.from_reader = False
        self.at_readers_host = False
        self.gone = False
        self._received = False
        self._begun = channel.site.reactor.seconds()

    def __repr__(self) -> str:
        return f"<Request {self.id}>"  # the one of Twisted shows the whole URI

    def gotLength(self, length: int | None) -> None:  # noqa: ARG002 -- the body is counted
        self.content = self.body

    def handleContentChunk(self, data: bytes) -> None:
        if self.gone:
            return
        self.body.write(data)
        if self.body.received_octets > FLOOD_FACTOR * self.body.limit_octets:
            self.gone = True
            self.channel.refuse(Problem(413, "Message too big"))

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if self.gone:
            return
        self._received = True
        origin_form = _ORIGIN.sub(b"", path, count=1)  # RFC 9112 section 3.2.2
        if not origin_form.startswith(b"/"):
            origin_form = b"/" + origin_form
        self.target = origin_form
        target, self.token = split_token(origin_form)
        if self.token is None:
            self.token = bearer_token(self.field("authorization"))
        super().requestReceived(command, target, version)

    def render(self, resrc: IResource) -> None:
        """Let a resource answer; what it raises or refuses becomes a JSON document."""
        self.setHeader("server", "smtpeter")
        self.setHeader("x-request-id", self.id)
        try:
            page = resrc.render(self)
        except Problem as problem:
            self.send_problem(problem)
        except UnsupportedMethod as unsupported:
            self.send_problem(wrong_method(*map(bytes.decode, unsupported.allowedMethods)))
        else:
            if page is not NOT_DONE_YET:
                self._send(page)

    def processingFailed(self, reason: Failure) -> Failure:
        """Log what nobody expected; the client only gets a number to ask us about."""
        self._log.failure("request {id} failed", failure=reason, id=self.id)
        if self.startedWriting:
            self.loseConnection()
        else:
            self.send_problem(Problem(500, f"Internal error in request {self.id}"))
        return reason

    def send_problem(self, problem: Problem) -> None:
        self.send_json(problem.document, problem.status, problem.headers)

    def send_page(
        self, page: bytes, status: int, fields: Mapping[bytes, bytes], fixed_fields: bytes = b""
    ) -> None:
        """
        Answer, unless there is an answer already or nobody to read it.

        Args:
            fixed_fields: of the header, as they are written; each costs less than one of `fields`.
        """
        if self.gone or self.finished:
            return
        self.setResponseCode(status)
        for name, value in fields.items():
            self.setHeader(name, value)
        self.fixed_fields = fixed_fields
        self._send(page)

    def send_json(
        self, document: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer, unless there is an answer already or nobody to read it."""
        if self.gone or self.finished:
            return
        self.setResponseCode(status)
        for name, value in (headers or {}).items():
            self.setHeader(name, value)
        # Clients compare this for equality, so there is no charset.
        self.setHeader("content-type", "application/json")
        self._send(json.dumps(document).encode())

    def _send(self, page: bytes) -> None:
        if not self.channel.persistent:
            self.setHeader("connection", "close")
        if self.code not in NO_BODY_CODES:
            self.setHeader("content-length", str(len(page)))
        self.write(page)
        self.finish()

    def connectionLost(self, reason: Failure) -> None:
        self.gone = True
        self.body.close()
        if self._received and not self.from_reader and not self.finished:
            self._log.info("{client} hung up on request {id}", client=self.client_shown, id=self.id)
        for notification in self.notifications:
            notification.addErrback(
                lambda _: None
            )  # `gone` tells; an unheard Deferred would be logged
        super().connectionLost(reason)

    def field(self, name: str) -> str | None:
        """Return a header field; any octets will do, where Twisted insists on UTF-8."""
        value = self.getHeader(name.encode())
        return None if value is None else value.decode("latin-1")

    @property
    def client_host(self) -> str:
        """The client's IP address, "" for a client without one."""
        return str(getattr(self.getClientAddress(), "host", ""))

    @property
    def client_shown(self) -> str:
        """The same, as logs may tell it."""
        return "somebody" if self.at_readers_host else self.client_host

    @property
    def seconds(self) -> float:
        """How long ago the request began."""
        return self.site.reactor.seconds() - self._begun
