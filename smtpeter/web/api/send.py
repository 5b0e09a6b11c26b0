"""`POST /v1/send`."""

# twisted.web has few type hints.
# mypy: allow-untyped-calls
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from smtpeter.accounts.interfaces import ISender
from smtpeter.message.envelope import Accepted, Submission, Trace
from smtpeter.message.examination import MAX_KEY_CHARACTERS, valid_key
from smtpeter.web.api.submission import Call, Limits, read_submission
from smtpeter.web.auth import logged_in
from smtpeter.web.problem import Problem
from smtpeter.web.request import Request
from smtpeter.web.resource import JSONResource

# To read and write larger messages would hold up the reactor.
LARGE_BODY_OCTETS = 16 * 1024

# Proxies take an answer with a long header for a fault.
NAMED_SUPPRESSED = 100

InThread = Callable[..., Deferred[Any]]


class SendResource(JSONResource):
    """
    Takes one message for one or more recipients, and answers with an id for each.

    Args:
        in_thread: calls a function with arguments in a thread.
        clock: tells the time.
    """

    methods = ("POST",)

    def __init__(
        self, portal: Portal, in_thread: InThread, clock: IReactorTime, limits: Limits
    ) -> None:
        super().__init__()
        self._portal = portal
        self._in_thread = in_thread
        self._clock = clock
        self._limits = limits

    async def answer_post(self, request: Request) -> dict[str, str]:
        async with logged_in(self._portal, request.token) as sender:
            if not sender.may_send:
                raise Problem(403, "You do not have permission to send email")
            _refuse_encoding(request)
            body, reservation = request.body.take()
            try:
                submission = await self._submission(request, sender, body)
                del body  # else it stays in memory, next to what was made of it
                accepted = await sender.submit(submission)
            finally:
                reservation.release()
        _tell_suppressed(request, accepted)
        written = [recipient.written for recipient in submission.envelope.recipients]
        return dict(zip(accepted.ids, written, strict=True))

    async def _submission(self, request: Request, sender: ISender, body: bytes) -> Submission:
        call = Call(
            body=body,
            content_type=request.field("content-type"),
            trace=Trace(helo="", address=request.client_host, protocol="HTTPS"),
            account_id=sender.account_id,
            now=self._clock.seconds(),
            idempotency_key=_idempotency_key(request),
        )
        if len(body) > LARGE_BODY_OCTETS:
            return await self._in_thread(read_submission, call, self._limits)  # type: ignore[no-any-return]
        return read_submission(call, self._limits)


def _tell_suppressed(request: Request, accepted: Accepted) -> None:
    """
    Name the messages that are not sent in the header of the answer.

    Clients take every pair of the document for a message and its recipient, so it is not there.
    """
    suppressed = [each for each in accepted.ids if each in accepted.suppressed]
    if suppressed:
        request.setHeader("suppressed-count", str(len(suppressed)))
        request.setHeader("suppressed-messages", ", ".join(suppressed[:NAMED_SUPPRESSED]))


def _refuse_encoding(request: Request) -> None:
    encoding = request.field("content-encoding") or "identity"
    if encoding.lower() != "identity":
        raise Problem(415, "The request body must not be compressed")


def _idempotency_key(request: Request) -> str | None:
    key = request.field("idempotency-key")
    if key is not None and not valid_key(key):
        text = f"The Idempotency-Key must be 1 to {MAX_KEY_CHARACTERS} visible ASCII characters"
        raise Problem(400, text)
    return key
