"""Resources that answer with JSON documents."""

# twisted.web has few type hints.
# mypy: allow-untyped-calls
from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, NoReturn

from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from smtpeter.message.reply import Refused
from smtpeter.web.problem import Problem, shown, wrong_method
from smtpeter.web.request import Request

ANSWER_SECONDS = 120


class JSONResource(Resource):
    """
    A resource whose answers are JSON documents.

    For each of its `methods` a subclass has a coroutine `answer_METHOD`, in lower case, that
    returns the document or raises `Problem` or `Refused`. It runs to its end when the client
    hangs up. A trailing slash in the path makes no difference.
    """

    methods: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()

    def getChild(self, path: bytes, request: Request) -> Resource:
        return self if path == b"" else Refusal(404, _nothing(request))

    def render(self, request: Request) -> int:
        if not self.methods:
            raise Problem(404, _nothing(request))
        method = request.method.decode()
        if method == "HEAD" and "GET" in self.methods:
            method = "GET"
        if method not in self.methods:
            raise wrong_method(*self.methods)
        answer: Callable[[Request], Awaitable[object]] = getattr(self, f"answer_{method.lower()}")
        answered = Deferred.fromCoroutine(self._answer(request, answer))
        answered.addErrback(request.processingFailed)
        answered.addErrback(lambda _: None)  # it is in the log
        return NOT_DONE_YET

    async def _answer(
        self, request: Request, answer: Callable[[Request], Awaitable[object]]
    ) -> None:
        limit = request.site.reactor.callLater(ANSWER_SECONDS, _late, request)
        try:
            document = await answer(request)
        except Problem as problem:
            request.send_problem(problem)
        except Refused as refused:
            request.send_problem(Problem.from_refused(refused))
        else:
            request.send_json(document)
        finally:
            if limit.active():
                limit.cancel()


def _late(request: Request) -> None:
    request.send_problem(Problem(503, "There is no result yet; it is not known what will be"))


def _nothing(request: Request) -> str:
    path = request.path.decode("ascii", "backslashreplace")
    return f"There is nothing at {shown(path)}"


class Refusal(Resource):
    """Answers everything below it with the same problem."""

    isLeaf = True

    def __init__(self, status: int, text: str) -> None:
        super().__init__()
        self._status = status
        self._text = text

    def render(self, _request: Request) -> NoReturn:
        raise Problem(self._status, self._text)
