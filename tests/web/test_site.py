"""Tests for `smtpeter.web.site`, `request`, `resource` and `root`."""

from __future__ import annotations

import json
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from smtpeter.message.envelope import Accepted
from smtpeter.message.features import REST_DEFAULTS
from smtpeter.web.resource import ANSWER_SECONDS
from smtpeter.web.site import IDLE_SECONDS, REQUEST_SECONDS, SHUTDOWN_SECONDS
from tests.web.caller import CLIENT, MAX_BODY_OCTETS, MINIMAL, TOKEN, Caller, request

BODY = json.dumps(MINIMAL).encode()


class Broken(Resource):
    """Fails to answer."""

    isLeaf = True

    def render_GET(self, request: object) -> bytes:
        raise ValueError(request)


class Plain(Resource):
    """A resource as others write them."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        request.setHeader("content-type", "text/plain")
        return b"plain"


class TreeTests(SynchronousTestCase):
    """What is where, and how the site says that something is not there."""

    def setUp(self) -> None:
        self.caller = Caller()

    def get(self, target: str, method: str = "GET") -> tuple[int, str]:
        answer = self.caller.call(target=target, method=method)
        self.assertEqual("application/json", answer.headers["content-type"])
        return answer.status, answer.error

    def test_root(self) -> None:
        """The root names the service and the place of the API."""
        answer = self.caller.call(target="/", method="GET")
        self.assertEqual(200, answer.status)
        self.assertEqual({"service": "smtpeter", "api": "/v1/"}, answer.document)
        self.assertEqual("application/json", answer.headers["content-type"])

    def test_head(self) -> None:
        """HEAD answers as GET does, without a body."""
        answer = self.caller.call(target="/", method="HEAD")
        self.assertEqual((200, b""), (answer.status, answer.body))
        self.assertGreater(int(answer.headers["content-length"]), 0)

    def test_nothing(self) -> None:
        """Unknown paths answer 404 with a JSON document."""
        for path in ("/x", "/v1", "/v1/", "/v1/sent", "/v1/send/x", "/v1//x", "/V1/send", "*"):
            status, error = self.get(path)
            self.assertEqual(404, status)
            self.assertIn(path, error)

    def test_wrong_method(self) -> None:
        """A method that a resource does not have answers 405 and names those it has."""
        for method in ("GET", "PUT", "DELETE", "HEAD", "BREW", "answer_post"):
            answer = self.caller.call(method=method)
            self.assertEqual((405, "POST"), (answer.status, answer.headers["allow"]))
        self.assertEqual((405, "The method must be one of: GET"), self.get("/", "POST"))

    def test_trailing_slash(self) -> None:
        """A slash behind a path makes no difference."""
        target = f"/v1/send/?access_token={TOKEN}"
        self.assertEqual(200, self.caller.call(BODY, "application/json", target=target).status)

    def test_absolute_form(self) -> None:
        """A whole URI as the target is understood."""
        target = f"https://api.relay.example/v1/send?access_token={TOKEN}"
        self.assertEqual(200, self.caller.call(BODY, "application/json", target=target).status)

    def test_plain_http(self) -> None:
        """Without TLS the API answers 400, whatever is asked and sent."""
        caller = Caller(https=False)
        for method in ("GET", "POST", "PUT"):
            for body in (BODY, b"x" * (MAX_BODY_OCTETS + 1)):
                answer = caller.call(body, "application/json", method=method)
                self.assertEqual(400, answer.status)
                self.assertEqual("The API is only available over HTTPS", answer.error)
        self.assertEqual(404, caller.call(target="/", method="GET").status)
        self.assertEqual(0, caller.budget.used_octets)

    def test_failure(self) -> None:
        """An unexpected error is logged, and answered with nothing but the request's id."""
        self.caller.site.resource.putChild(b"broken", Broken())
        answer = self.caller.call(target="/broken", method="GET")
        self.assertEqual(500, answer.status)
        self.assertEqual(
            f"Internal error in request {answer.headers['x-request-id']}", answer.error
        )
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_other_resources(self) -> None:
        """A resource of twisted.web keeps its answers, but not its error pages."""
        self.caller.site.resource.putChild(b"plain", Plain())
        answer = self.caller.call(target="/plain", method="GET")
        self.assertEqual((b"plain", "text/plain"), (answer.body, answer.headers["content-type"]))
        answer = self.caller.call(target="/plain", method="DELETE")
        self.assertEqual(405, answer.status)
        self.assertIn("GET", answer.headers["allow"])
        self.assertIn("must be one of", answer.error)

    def test_no_request(self) -> None:
        """What is no HTTP is answered with a document too, and the connection closed."""
        for octets in (b"\x16\x03\x01\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"x " * 9000):
            connection = self.caller.connect()
            connection.send(octets)
            self.assertTrue(connection.transport.disconnecting)
            for answer in connection.answers():
                self.assertEqual(400, answer.status)
                self.assertIn("no request", answer.error)
            connection.lose()


class AnyOctetsTests(SynchronousTestCase):
    """Clients that are broken, or worse."""

    PIECES = (
        b"\r\n",
        b" ",
        b":",
        b"\0",
        b"\xff",
        b"?",
        b"&",
        b"%",
        b"{",
        b'"',
        b"Content-Length: 9",
    )

    @given(st.integers(0, 400), st.integers(0, 30), st.binary(max_size=9) | st.sampled_from(PIECES))
    def test_damaged_request(self, start: int, length: int, piece: bytes) -> None:
        """A request with a damage gets an error or none, and nothing unexpected happens."""
        octets = request(BODY, "application/json", headers={"Idempotency-Key": "k"})
        caller = Caller()
        connection = caller.connect()
        connection.send(octets[:start] + piece + octets[start + length :])
        for answer in connection.answers():
            self.assertIn(answer.status, (200, 400, 401, 404, 405, 413, 415))
        connection.lose()
        self.assertEqual(0, caller.budget.used_octets)


class LogTests(SynchronousTestCase):
    """The access log."""

    def logged(self, *calls: dict[str, Any]) -> str:
        caller = Caller()
        caller.site.resource.putChild(b"broken", Broken())
        events: list[Any] = []
        observer = cast("ILogObserver", events.append)
        globalLogPublisher.addObserver(observer)
        try:
            for call in calls:
                caller.call(**call)
        finally:
            globalLogPublisher.removeObserver(observer)
        self.flushLoggedErrors(ValueError)
        return repr([{k: str(v) for k, v in event.items()} for event in events]) + "".join(
            event["log_failure"].getTraceback() for event in events if "log_failure" in event
        )

    def test_line(self) -> None:
        """Each request is logged with client, method, path and status."""
        text = self.logged({"target": "/v1/nothing", "method": "GET"})
        for part in (CLIENT, "GET", "/v1/nothing", "404"):
            self.assertIn(part, text)

    def test_no_tokens(self) -> None:
        """An access token is never logged, wherever the client put it, whatever happens."""
        secret = "SecretSecret"
        calls = [
            {"target": target, "method": method, "headers": {"Authorization": f"Bearer {secret}"}}
            for method in ("GET", "HEAD", "POST")
            for target in (
                f"/?access_token={secret}",
                f"/broken?x=1&access_token={secret}",
                f"/v1/send?access%5Ftoken={secret}",
                f"/v1/send?x=1;access_token={secret}",
                f"/v1/send?ACCESS_TOKEN={secret}",
                f"https://x.example/v1/x?access_token={secret}&y=2",
            )
        ]
        text = self.logged(*calls)
        self.assertIn("/v1/send", text)
        self.assertNotIn(secret, text)


class BodyTests(SynchronousTestCase):
    """Bodies that come in pieces, and bodies that are too big."""

    def setUp(self) -> None:
        self.caller = Caller()

    def test_octet_by_octet(self) -> None:
        """It makes no difference how the octets arrive."""
        connection = self.caller.connect()
        for octet in request(BODY, "application/json"):
            connection.send(bytes([octet]))
        (answer,) = connection.answers()
        self.assertEqual({"id1": "kees@mailbox.example"}, answer.document)

    def chunked(self, *chunks: bytes) -> bytes:
        head = f"POST /v1/send?access_token={TOKEN} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
        return head.encode() + body + b"0\r\n\r\n"

    def test_chunked(self) -> None:
        """A body of unknown length is taken."""
        connection = self.caller.connect()
        connection.send(self.chunked(BODY[:9], BODY[9:]))
        (answer,) = connection.answers()
        self.assertEqual(200, answer.status)
        self.assertEqual(0, self.caller.budget.used_octets)

    def test_too_big(self) -> None:
        """A body over the limit is dropped while it is read, and answered with 413."""
        for octets in (
            request(b"x" * (MAX_BODY_OCTETS + 1), "application/json"),
            self.chunked(b"x" * MAX_BODY_OCTETS, b"x"),
        ):
            connection = self.caller.connect()
            connection.send(octets)
            (answer,) = connection.answers()
            self.assertEqual((413, "Message too big"), (answer.status, answer.error))
            self.assertEqual(0, self.caller.budget.used_octets)
            self.assertFalse(connection.transport.disconnecting)
            connection.lose()

    def test_largest_body(self) -> None:
        """A body of exactly the limit is read."""
        body = BODY.ljust(MAX_BODY_OCTETS)
        self.assertEqual(200, self.caller.call(body, "application/json").status)

    def test_flood(self) -> None:
        """A client that goes on far beyond the limit is answered and cut off."""
        connection = self.caller.connect()
        connection.send(request(b"", headers={"Content-Length": str(100 * MAX_BODY_OCTETS)}))
        for _ in range(3):
            connection.send(b"x" * MAX_BODY_OCTETS)
        (answer,) = connection.answers()
        self.assertEqual((413, "close"), (answer.status, answer.headers["connection"]))
        self.assertTrue(connection.transport.disconnecting)
        connection.send(b"x" * 98 * MAX_BODY_OCTETS)
        self.assertEqual([], connection.answers())
        connection.lose()
        self.assertEqual([], self.caller.sender.submissions)

    def test_no_memory_left(self) -> None:
        """When the memory for all bodies is taken the answer is 503, and memory comes back."""
        self.assertTrue(self.caller.budget.reserve(self.caller.budget.free_octets - 10))
        taken = self.caller.budget.used_octets
        answer = self.caller.call(BODY, "application/json")
        self.assertEqual(503, answer.status)
        self.assertEqual("30", answer.headers["retry-after"])
        self.assertIn("try again later", answer.error)
        self.assertEqual(taken, self.caller.budget.used_octets)

    def test_memory_while_receiving(self) -> None:
        """Only octets that have arrived take memory, until the client hangs up."""
        connection = self.caller.connect()
        connection.send(request(BODY, "application/json", headers={"Content-Length": "99999"}))
        self.assertEqual(len(BODY), self.caller.budget.used_octets)
        connection.lose()
        self.assertEqual(0, self.caller.budget.used_octets)

    def test_memory_while_submitting(self) -> None:
        """The memory stays taken until the message is stored."""
        self.caller.sender.result = Deferred()
        connection = self.caller.connect()
        connection.send(request(BODY, "application/json"))
        self.assertEqual(len(BODY), self.caller.budget.used_octets)
        self.caller.sender.result.callback(Accepted(("id1",), REST_DEFAULTS))
        self.assertEqual(0, self.caller.budget.used_octets)

    def test_memory_of_unused_bodies(self) -> None:
        """A body that nobody reads gives its memory back."""
        self.caller.call(BODY, target="/nothing")
        self.caller.call(BODY, target="/v1/send")
        self.assertEqual(0, self.caller.budget.used_octets)


class ConnectionTests(SynchronousTestCase):
    """How connections are kept and ended."""

    def setUp(self) -> None:
        self.caller = Caller()

    def test_two_requests(self) -> None:
        """A connection takes one request after the other, in order."""
        connection = self.caller.connect()
        connection.send(request(BODY, "application/json") + request(target="/", method="GET"))
        self.assertEqual([200, 200], [answer.status for answer in connection.answers()])
        self.assertFalse(connection.transport.disconnecting)

    def test_client_gone(self) -> None:
        """When the client hangs up the message is submitted all the same, without an error."""
        result: Deferred[Accepted] = Deferred()
        self.caller.sender.result = result
        connection = self.caller.connect()
        connection.send(request(BODY, "application/json"))
        connection.lose()
        self.assertEqual(0, self.caller.sender.logouts)
        result.callback(Accepted(("id1",), REST_DEFAULTS))
        self.assertEqual(1, self.caller.sender.logouts)
        self.assertEqual([], connection.answers())
        self.assertEqual([], self.caller.clock.getDelayedCalls())

    def test_client_gone_and_failure(self) -> None:
        """What fails after the client has hung up is logged once."""
        result: Deferred[Accepted] = Deferred()
        self.caller.sender.result = result
        connection = self.caller.connect()
        connection.send(request(BODY, "application/json"))
        connection.lose()
        result.errback(ValueError())
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_no_result(self) -> None:
        """A call without a result is answered in the end; the result is then ignored."""
        result: Deferred[Accepted] = Deferred()
        self.caller.sender.result = result
        connection = self.caller.connect()
        connection.send(request(BODY, "application/json"))
        self.caller.clock.advance(ANSWER_SECONDS)
        (answer,) = connection.answers()
        self.assertEqual(503, answer.status)
        self.assertIn("retry-after", answer.headers)
        result.callback(Accepted(("id1",), REST_DEFAULTS))
        self.assertEqual([], connection.answers())
        self.assertEqual(0, self.caller.budget.used_octets)

    def test_idle(self) -> None:
        """A connection on which nothing happens is closed."""
        connection = self.caller.connect()
        self.caller.clock.advance(IDLE_SECONDS)
        self.assertTrue(connection.transport.disconnecting)

    def test_slow_request(self) -> None:
        """A client that sends an octet now and then does not keep its place for ever."""
        connection = self.caller.connect()
        connection.send(request(b"", headers={"Content-Length": "9999"}))
        for _ in range(REQUEST_SECONDS // (IDLE_SECONDS - 1) + 1):
            self.assertFalse(connection.transport.disconnecting)
            self.caller.clock.advance(IDLE_SECONDS - 1)
            if not connection.transport.disconnecting:
                connection.send(b"x")
        self.assertTrue(connection.transport.disconnecting)

    def test_timers_end_with_the_connection(self) -> None:
        """A lost connection leaves no timer behind."""
        connection = self.caller.connect()
        connection.send(b"POST /")
        connection.lose()
        self.assertEqual([], self.caller.clock.getDelayedCalls())

    def test_too_many(self) -> None:
        """No more connections are taken than allowed, until one has ended."""
        connections = [self.caller.connect() for _ in range(3)]
        self.assertIsNone(self.caller.site.buildProtocol(None))
        connections[0].lose()
        self.caller.connect()

    def test_protocols(self) -> None:
        """Only HTTP/1.1 is offered in TLS."""
        self.assertEqual([b"http/1.1"], self.caller.site.acceptableProtocols())


class CloseTests(SynchronousTestCase):
    """The end of the site."""

    def setUp(self) -> None:
        self.caller = Caller()

    def test_nothing_open(self) -> None:
        """Without connections it is over at once, and none is taken any more."""
        self.assertIsNone(self.successResultOf(self.caller.site.close()))
        self.assertIsNone(self.caller.site.buildProtocol(None))
        self.assertEqual([], self.caller.clock.getDelayedCalls())

    def test_idle_connections(self) -> None:
        """Connections without a request are closed at once."""
        connection = self.caller.connect()
        closed = self.caller.site.close()
        self.assertTrue(connection.transport.disconnecting)
        self.assertNoResult(closed)
        connection.lose()
        self.successResultOf(closed)
        self.assertEqual([], self.caller.clock.getDelayedCalls())

    def test_request_in_progress(self) -> None:
        """A request that is being processed gets its answer, and then the connection closes."""
        result: Deferred[Accepted] = Deferred()
        self.caller.sender.result = result
        connection = self.caller.connect()
        connection.send(request(BODY, "application/json"))
        closed = self.caller.site.close()
        self.assertFalse(connection.transport.disconnecting)
        result.callback(Accepted(("id1",), REST_DEFAULTS))
        (answer,) = connection.answers()
        self.assertEqual((200, "close"), (answer.status, answer.headers["connection"]))
        self.assertTrue(connection.transport.disconnecting)
        connection.lose()
        self.successResultOf(closed)

    def test_request_being_received(self) -> None:
        """A request of which a part has come in is read to its end."""
        connection = self.caller.connect()
        octets = request(BODY, "application/json")
        connection.send(octets[:100])
        self.caller.site.close()
        connection.send(octets[100:])
        (answer,) = connection.answers()
        self.assertEqual(200, answer.status)
        self.assertTrue(connection.transport.disconnecting)

    def test_limit(self) -> None:
        """What takes too long is cut off."""
        self.caller.sender.result = Deferred()
        connection = self.caller.connect()
        connection.send(request(BODY, "application/json"))
        closed = self.caller.site.close()
        self.caller.clock.advance(SHUTDOWN_SECONDS)
        self.assertTrue(connection.transport.disconnecting)
        connection.lose()
        self.successResultOf(closed)
        self.assertIs(closed, self.caller.site.close())
