"""Tests for `smtpeter.web.tracking.hosts`, and for what is there at hosts for readers."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.store.database import StoreError
from smtpeter.web.tracking.hosts import ReaderHosts
from tests.web.caller import MINIMAL, TOKEN, request
from tests.web.tracking.reader import BROWSER, HOST, PUBLIC_HOST, Reader, StoreOfImages

ORIGINAL = "https://shop.example/sale"
OWN = "go.club.example"


class Waiting(StoreOfImages):
    """Answers when the test wants it to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Deferred[Any]] = []

    def read(self, *_asked: Any) -> Deferred[Any]:
        self.waiting.append(Deferred())
        return self.waiting[-1]


class ReaderHostsTests(SynchronousTestCase):
    """Which hosts are for readers alone."""

    def setUp(self) -> None:
        self.store = StoreOfImages()
        self.store.hosts.add(OWN)
        self.hosts = ReaderHosts(self.store, HOST, PUBLIC_HOST, lambda: 5.0)

    def look_up(self, host: str) -> bool:
        return self.successResultOf(Deferred.fromCoroutine(self.hosts.look_up(host)))

    def test_configured(self) -> None:
        """The configured hosts are known without the store, however they are written."""
        for host, for_readers in ((HOST, True), (PUBLIC_HOST, False)):
            for written in (host, host.upper(), f"{host}:8443", f"{host}.", f"{host}.:"):
                self.assertIs(for_readers, self.hosts.known(written), written)
        self.assertEqual(0, self.store.reads)

    def test_both_at_once(self) -> None:
        """Where links point to the public host, everything is there."""
        self.assertIs(False, ReaderHosts(self.store, HOST, HOST).known(HOST))

    def test_looked_up(self) -> None:
        """All other names are looked up, and remembered for a moment."""
        for host, for_readers in ((f"{OWN}:8443", True), ("mail.club.example", False)):
            self.assertIsNone(self.hosts.known(host))
            self.assertIs(for_readers, self.look_up(host))
            self.assertIs(for_readers, self.hosts.known(host.upper()))

    def test_no_names(self) -> None:
        """What is no domain name is no host of readers; nobody has to look."""
        for host in ("", "localhost", "127.0.0.1:8443", "[::1]:8443", "a\0b.example", "\xff" * 999):
            self.assertIs(False, self.hosts.known(host), host)

    @given(st.text() | st.from_regex(r"[a-z.:0-9\u00fc]*"))
    def test_any_host(self, host: str) -> None:
        """Whatever a request names as its host, there is an answer."""
        if self.hosts.known(host) is None:
            self.assertFalse(self.look_up(host))

    def test_out_of_reach(self) -> None:
        """What cannot be looked up is not remembered."""
        self.store.down = True
        self.failureResultOf(Deferred.fromCoroutine(self.hosts.look_up(OWN)), StoreError)
        self.assertIsNone(self.hosts.known(OWN))


class AtHostsTests(SynchronousTestCase):
    """What is there at which host."""

    def setUp(self) -> None:
        self.reader = Reader()
        self.reader.store.hosts.add(OWN)

    def status(self, host: str, target: str, method: str = "GET") -> int:
        return self.reader.get(target, method, Host=host).status

    def test_for_readers(self) -> None:
        """At a host for readers links are followed, and all the rest is not there."""
        for https in (True, False):
            self.reader = Reader(https=https)
            self.reader.store.hosts.add(OWN)
            for host in (HOST, f"{OWN}:8443"):
                self.assertEqual(302, self.status(host, self.reader.target(ORIGINAL)))
                for target in ("/", "/v1", "/v1/send", f"/v1/send?access_token={TOKEN}", "/a/b"):
                    for method in ("GET", "HEAD", "POST", "OPTIONS"):
                        self.assertEqual(404, self.status(host, target, method), target)
                answer = self.reader.get("/v1/send", Host=host)
                self.assertEqual("There is nothing at /v1/send", answer.error)
        self.assertEqual([], self.reader.sender.submissions)

    def test_for_all(self) -> None:
        """At any other name everything is there."""
        for host in (PUBLIC_HOST, "mail.club.example", "192.0.2.7"):
            self.assertEqual(200, self.status(host, "/"))
            self.assertEqual(405, self.status(host, f"/v1/send?access_token={TOKEN}"))
            headers = BROWSER | {"Host": host}
            self.assertEqual(200, self.reader.post(MINIMAL, headers=headers).status)
            self.assertEqual(404, self.status(host, "/v2"))
        self.assertEqual(3, len(self.reader.sender.submissions))

    def test_at_once(self) -> None:
        """Who follows a link does not wait until the store knows the host."""
        self.reader.store.down = True
        self.assertEqual(302, self.status(OWN, self.reader.target(ORIGINAL)))

    def test_changed(self) -> None:
        """What became of a domain is in force when the command returns."""
        self.assertEqual(404, self.status(OWN, "/"))
        self.reader.store.hosts.clear()
        self.assertEqual(404, self.status(OWN, "/"))
        self.reader.clock.advance(IDENTITY_SECONDS)
        self.assertEqual(200, self.status(OWN, "/"))

    def test_out_of_reach(self) -> None:
        """While the store cannot tell, nothing is shown that might not be there."""
        self.reader.store.down = True
        answer = self.reader.get("/", Host=OWN)
        self.assertEqual((503, "30"), (answer.status, answer.headers["retry-after"]))
        self.assertEqual(200, self.status(PUBLIC_HOST, "/"))

    def test_hung_up(self) -> None:
        """Who has hung up while the store was asked has not called anything."""
        store = Waiting()
        self.patch(self.reader.site.resource._tracking.hosts, "_store", store)
        connection = self.reader.connect()
        connection.send(
            request(b"{}", "application/json", headers={"Host": OWN}, target="/v1/send")
        )
        connection.lose()
        store.waiting.pop().callback(False)
        self.assertEqual([], connection.answers())
        self.assertEqual([], self.flushLoggedErrors())
