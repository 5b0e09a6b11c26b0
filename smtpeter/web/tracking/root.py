"""In front of all other resources: what proves to be tracked is answered here, by any name."""

# twisted.web has few type hints.
# mypy: allow-untyped-calls
from __future__ import annotations

import time
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.resource import IResource, Resource, getChildForRequest
from twisted.web.server import NOT_DONE_YET

from smtpeter.events.visit import Visit, header_lines
from smtpeter.store.database import StoreError
from smtpeter.transform.trackedurl import Resolved
from smtpeter.web.problem import Problem
from smtpeter.web.request import Request
from smtpeter.web.resource import JSONResource
from smtpeter.web.tracking.answers import Answer
from smtpeter.web.tracking.hosted import digest_in
from smtpeter.web.tracking.reader import Tracking

_METHODS = (b"GET", b"HEAD")
_VISITS = {"click": "click", "honeypot": "click", "open": "open"}
_NOTHING = JSONResource()

_log = Logger()


class TrackingRoot(Resource):
    """
    The root of a site with tracking.

    Tracked links keep the paths of their originals, so any path may be one. What counts is
    only the identifier in it; requests without a good one go to the other resources. Of these
    there are none at hosts for readers alone.

    Args:
        inner: the root of these.
        protocol: "https" or "http", by which readers come.
        seconds: the wall clock, seconds since the epoch.
    """

    def __init__(
        self,
        inner: Resource,
        tracking: Tracking,
        protocol: str,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._inner = inner
        self._tracking = tracking
        self._protocol = protocol
        self._seconds = seconds

    def getChildWithDefault(self, path: bytes, request: Request) -> IResource:
        if request.method in _METHODS:
            asked = self._tracking.resolve(request.target)
            if asked is not None:
                return _Leaf(lambda request: self._answer(asked, request))
            if path == b"images":
                digest = digest_in(request.target.decode("latin-1"))
                if digest is not None:
                    return _Leaf(lambda request: self._host(digest, request))
        host = request.field("host") or ""
        for_readers = self._tracking.hosts.known(host)
        if for_readers is None:
            return _Leaf(lambda request: self._other_later(path, host, request))
        return self._other(path, request, for_readers=for_readers)

    def _other(self, path: bytes, request: Request, *, for_readers: bool) -> IResource:
        request.at_readers_host = for_readers
        root = _NOTHING if for_readers else self._inner
        child: IResource = root.getChildWithDefault(path, request)
        return child

    def _other_later(self, path: bytes, host: str, request: Request) -> int:
        answering = Deferred.fromCoroutine(self._look_up(path, host, request))
        answering.addErrback(request.processingFailed).addErrback(lambda _: None)
        return NOT_DONE_YET

    async def _look_up(self, path: bytes, host: str, request: Request) -> None:
        try:
            for_readers = await self._tracking.hosts.look_up(host)
        except StoreError as error:
            _log.warn("a request has to wait for the store: {error}", error=error)
            request.send_problem(Problem(503, "The service cannot look into its database now"))
            return
        if not request.gone:
            child = self._other(path, request, for_readers=for_readers)
            request.render(getChildForRequest(child, request))

    def _answer(self, asked: Resolved, request: Request) -> int:
        request.from_reader = True
        answer = self._tracking.at_once(asked)
        if answer is None:
            answering = Deferred.fromCoroutine(self._answer_later(asked, request))
            answering.addErrback(request.processingFailed).addErrback(lambda _: None)
        else:
            _send(answer, request)
            self._note(asked, answer, request)
        return NOT_DONE_YET

    async def _answer_later(self, asked: Resolved, request: Request) -> None:
        answer = await self._tracking.later(asked)
        _send(answer, request)
        self._note(asked, answer, request)

    def _host(self, digest: str, request: Request) -> int:
        request.from_reader = True
        answering = Deferred.fromCoroutine(self._tracking.hosted_image(digest))
        answering.addCallback(_send_cacheable, digest, request)
        answering.addErrback(request.processingFailed).addErrback(lambda _: None)
        return NOT_DONE_YET

    def _note(self, asked: Resolved, answer: Answer, request: Request) -> None:
        """Note a visit, behind its answer."""
        identified = asked.identified
        if answer.status >= 400 or identified.kind not in _VISITS:
            return
        host = (request.getHeader(b"host") or b"") + request.target
        self._tracking.note(
            Visit(
                time=self._seconds(),
                kind=_VISITS[identified.kind],
                message=identified.message_id,
                link=identified.number,
                url=f"{self._protocol}://{host.decode('latin-1')}",
                destination=answer.original,
                method=request.method.decode("ascii"),
                protocol=self._protocol,
                address=request.client_host,
                headers=header_lines(request.requestHeaders.getAllRawHeaders()),
                honeypot=identified.kind == "honeypot",
            )
        )


class _Leaf(Resource):
    """A resource made for one request."""

    isLeaf = True

    def __init__(self, answer: Callable[[Request], int]) -> None:
        super().__init__()
        self._answer = answer

    def render(self, request: Request) -> int:
        return self._answer(request)


def _send(answer: Answer, request: Request) -> None:
    request.send_page(answer.page, answer.status, answer.fields, answer.fixed_fields)


def _send_cacheable(answer: Answer, digest: str, request: Request) -> None:
    """An image that a browser has already need not be sent again."""
    etag = f'"{digest[:32]}"'.encode()
    if answer.status == 200 and request.setETag(etag):
        answer = Answer(304, answer.fixed_fields)
    _send(answer, request)
