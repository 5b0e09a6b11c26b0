"""A site with tracking, and a browser before it, in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from smtpeter.events.visit import Visit
from smtpeter.fetching import Fetched, FetchFailed
from smtpeter.store.database import StoreUnavailable
from smtpeter.store.domains import is_tracking_host
from smtpeter.store.images import Image
from smtpeter.store.store import Store
from smtpeter.transform import weburl
from smtpeter.transform.identifier import Identifiers
from smtpeter.transform.trackedurl import tracked_url
from smtpeter.web.tracking.copies import Copies
from smtpeter.web.tracking.hosted import HostedImages
from smtpeter.web.tracking.hosts import ReaderHosts
from smtpeter.web.tracking.reader import Tracking
from smtpeter.web.tracking.root import TrackingRoot
from tests.web.caller import NOW, Answer, Caller, request

KEY = b"k" * 32
MESSAGE = "7hQx2LmPzR9aTc04"
HOST = "clicks.shop.example"
PUBLIC_HOST = "api.relay.example"
BROWSER = {"Host": HOST, "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}


class FewOrigins:
    """The origins of a test; `unknown_here` are only in the store."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.unknown_here: set[int] = set()
        self.down = False

    def number(self, text: str) -> int:
        numbers = {known: number for number, known in self.texts.items()}
        return numbers.get(text) or self._add(text)

    def known(self, number: int) -> str | None:
        return None if number in self.unknown_here else self.texts.get(number)

    def text_of(self, number: int) -> Deferred[str | None]:
        if self.down and self.known(number) is None:
            return fail(StoreUnavailable("no route to the database"))
        return succeed(self.texts.get(number))

    def _add(self, text: str) -> int:
        self.texts[len(self.texts) + 1] = text
        return len(self.texts)


class StoreOfImages(Store):
    """Has images, and tracking hosts of sender domains; can be out of reach."""

    def __init__(self) -> None:
        self.images: dict[str, Image] = {}
        self.hosts: set[str] = set()
        self.reads = 0
        self.down = False

    def read(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.reads += 1
        if self.down:
            return fail(StoreUnavailable("no route to the database"))
        if function is is_tracking_host:
            return succeed(args[0] in self.hosts)
        assert function.__name__ == "image"
        return succeed(self.images.get(args[0]))


class SlowServers:
    """What images are fetched from: every request waits until the test answers it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Deferred[Fetched]]] = []
        self.at_once: Fetched | None = None

    def fetch(self, url: str, max_octets: int, media_type: str) -> Deferred[Fetched]:
        assert (max_octets, media_type) == (5 * 1024 * 1024, "image/")
        answer: Deferred[Fetched] = Deferred()
        self.asked.append((url, answer))
        if self.at_once is not None:
            answer.callback(self.at_once)
        return answer

    def answer(self, octets: bytes, media_type: str = "image/png", **headers: str) -> None:
        """Answer the oldest request."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.asked.pop(0)[1].callback(Fetched({"content-type": media_type} | named, octets))

    def refuse(self) -> None:
        """Fail the oldest request."""
        self.asked.pop(0)[1].errback(FetchFailed("the server answered with status 500"))


class Reader(Caller):
    """Somebody who reads mail; what is noted of it is in `visits`."""

    def __init__(self, *, https: bool = True) -> None:
        super().__init__(https=https)
        self.identifiers = Identifiers(KEY)
        self.origins = FewOrigins()
        self.store = StoreOfImages()
        self.servers = SlowServers()
        self.copies = Copies(self.servers, self.clock)
        self.visits: list[Visit] = []
        self.pages: dict[str, str] = {}
        tracking = Tracking(
            hosts=ReaderHosts(self.store, HOST, PUBLIC_HOST, self.clock.seconds),
            identifiers=self.identifiers,
            origins=self.origins,
            copies=self.copies,
            hosted=HostedImages(self.store),
            note=self.visits.append,
            web_version=self.page,
        )
        protocol = "https" if https else "http"
        inner = self.site.resource
        self.site.resource = TrackingRoot(inner, tracking, protocol, lambda: NOW)

    def page(self, message: str) -> Deferred[str | None]:
        if self.store.down:
            return fail(StoreUnavailable("no route to the database"))
        return succeed(self.pages.get(message))

    def target(self, url: str, kind: str = "click", number: int = 0) -> str:
        """The request target of the tracked form of a URL."""
        original = weburl.parse(url)
        assert original is not None
        origin = self.origins.number(original.origin)
        identifier = self.identifiers.make(MESSAGE, kind, number, origin)
        base = f"https://{HOST}"
        tracked = tracked_url(base, original, identifier, keep_extension=kind == "open")
        return tracked.removeprefix(base).partition("#")[0]

    def plain_target(self, kind: str, pattern: str = "/{}") -> str:
        """The request target of what has no original."""
        return pattern.format(self.identifiers.make(MESSAGE, kind, 0, 0))

    def get(self, target: str, method: str = "GET", **headers: str) -> Answer:
        """Ask for something, and read the answer, which has to be there at once."""
        fields = BROWSER | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call(target=target, method=method, headers=fields)

    def ask(self, target: str, method: str = "GET") -> Any:
        """Ask for something that may take its time; gives the connection."""
        connection = self.connect()
        connection.send(request(target=target, method=method, headers=BROWSER))
        return connection
