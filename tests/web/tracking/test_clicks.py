"""Tests for clicks: `smtpeter.web.tracking.reader` and `root`."""

from __future__ import annotations

import json
import string

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smtpeter.events.visit import Visit
from smtpeter.transform.identifier import Identifiers
from smtpeter.web.site import IDLE_SECONDS, READER_IDLE_SECONDS
from tests.web.caller import CLIENT, MINIMAL, NOW, TOKEN
from tests.web.tracking.reader import HOST, MESSAGE, PUBLIC_HOST, Reader

ORIGINAL = "https://shop.example/sale/boots?size=43&x=%41;1"

_printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40)
_identifier_like = st.text(string.ascii_letters + string.digits, min_size=20, max_size=40)


class ClickTests(SynchronousTestCase):
    """Links that lead through us."""

    def setUp(self) -> None:
        self.reader = Reader()

    def observe(self) -> list[LogEvent]:
        """All that is logged from now on."""
        logged: list[LogEvent] = []

        @implementer(ILogObserver)
        def observer(event: LogEvent) -> None:
            logged.append(event)

        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        return logged

    def test_redirect(self) -> None:
        """A click leads to the original, octet for octet, and is not to be stored anywhere."""
        answer = self.reader.get(self.reader.target(ORIGINAL))
        self.assertEqual((302, ORIGINAL), (answer.status, answer.headers["location"]))
        self.assertEqual(b"", answer.body)
        self.assertEqual("no-store", answer.headers["cache-control"])
        self.assertEqual("no-referrer", answer.headers["referrer-policy"])
        self.assertEqual("nosniff", answer.headers["x-content-type-options"])

    def test_noted(self) -> None:
        """A click is noted with all that events tell of it."""
        target = self.reader.target(ORIGINAL, number=3)
        self.reader.get(target, Accept_Language="nl")
        (visit,) = self.reader.visits
        self.assertEqual(
            Visit(
                time=NOW,
                kind="click",
                message=MESSAGE,
                link=3,
                url=f"https://{HOST}{target}",
                destination=ORIGINAL,
                method="GET",
                protocol="https",
                address=CLIENT,
                headers=visit.headers,
            ),
            visit,
        )
        lines = visit.headers.split("\n")
        self.assertIn("Accept-Language: nl", lines)
        self.assertIn(f"Host: {HOST}", lines)

    def test_secrets(self) -> None:
        """Cookies and credentials of a reader are not noted."""
        self.reader.get(self.reader.target(ORIGINAL), Cookie="a=1", Authorization="Basic eDp5")
        self.assertNotIn("Cookie", self.reader.visits[0].headers)
        self.assertNotIn("Basic", self.reader.visits[0].headers)

    def test_noted_behind_the_answer(self) -> None:
        """The redirect is on its way before the click is noted."""
        connection = self.reader.connect()
        sent_before: list[bytes] = []
        tracking = self.reader.site.resource._tracking
        self.patch(
            type(tracking),
            "note",
            property(lambda _: lambda _visit: sent_before.append(connection.transport.value())),
        )
        target = self.reader.target(ORIGINAL)
        connection.send(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        (sent,) = sent_before
        self.assertIn(f"Location: {ORIGINAL}\r\n".encode(), sent)

    def test_url_within(self) -> None:
        """A URL within the path of an original is a part of it."""
        url = "https://archive.example/web/2031/https://shop.example/a"
        self.assertEqual(url, self.reader.get(self.reader.target(url)).headers["location"])

    def test_http(self) -> None:
        """Links are answered on plain HTTP as well, and the visit says so."""
        reader = Reader(https=False)
        target = reader.target(ORIGINAL)
        self.assertEqual(ORIGINAL, reader.get(target).headers["location"])
        self.assertEqual(f"http://{HOST}{target}", reader.visits[0].url)
        self.assertEqual("http", reader.visits[0].protocol)

    def test_head(self) -> None:
        """HEAD is redirected like GET, and noted as what it is."""
        answer = self.reader.get(self.reader.target(ORIGINAL), "HEAD")
        self.assertEqual((302, ORIGINAL), (answer.status, answer.headers["location"]))
        self.assertEqual(["HEAD"], [visit.method for visit in self.reader.visits])

    def test_other_methods(self) -> None:
        """A link is only followed by GET and HEAD."""
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            answer = self.reader.get(self.reader.target(ORIGINAL), method)
            self.assertGreaterEqual(answer.status, 400)
            self.assertNotIn("location", answer.headers)
        self.assertEqual([], self.reader.visits)

    def test_token_of_somebody_else(self) -> None:
        """A parameter named like our tokens belongs to the original, and goes there unseen."""
        logged = self.observe()
        url = "https://shop.example/reset?access_token=s3cr3t&b=2"
        self.assertEqual(url, self.reader.get(self.reader.target(url)).headers["location"])
        self.assertNotIn("s3cr3t", str(logged))

    def test_not_in_access_log(self) -> None:
        """The access log tells nothing of readers: what may be kept of them is in the events."""
        logged = self.observe()
        self.reader.get(self.reader.target(ORIGINAL))
        self.assertNotIn(CLIENT, str(logged))
        self.reader.get("/elsewhere", Host="mail.relay.example")
        self.assertIn(CLIENT, str(logged))

    def test_nameless_in_access_log(self) -> None:
        """What else is asked for at a host for readers is logged without an address."""
        logged = self.observe()
        self.reader.get("/favicon.ico")
        self.reader.ask("/favicon.ico").lose()
        self.assertIn("/favicon.ico", str(logged))
        self.assertNotIn(CLIENT, str(logged))

    def test_idle(self) -> None:
        """A reader's connection is closed soon when nothing more comes, others later."""
        for target, seconds in (
            (self.reader.target(ORIGINAL), READER_IDLE_SECONDS),
            ("/", IDLE_SECONDS),
        ):
            connection = self.reader.ask(target)
            self.reader.clock.advance(seconds - 1)
            self.assertFalse(connection.transport.disconnecting)
            self.reader.clock.advance(1)
            self.assertTrue(connection.transport.disconnecting)

    def test_end_not_in_log(self) -> None:
        """When an idle connection is closed, or has to be cut off, no address is logged."""
        logged = self.observe()
        connection = self.reader.ask(self.reader.target(ORIGINAL))
        self.reader.clock.advance(READER_IDLE_SECONDS)
        self.assertTrue(connection.transport.disconnecting)
        self.reader.clock.advance(connection.channel.abortTimeout)
        self.assertTrue(connection.transport.disconnected)
        connection.lose()
        self.assertNotIn(CLIENT, str(logged))

    def test_host_of_no_importance(self) -> None:
        """Links are followed by whatever name of ours a reader comes."""
        answer = self.reader.get(self.reader.target(ORIGINAL), Host="mail.relay.example")
        self.assertEqual(302, answer.status)
        self.assertIn("mail.relay.example", self.reader.visits[0].url)

    def test_unknown(self) -> None:
        """What proves nothing is not there; nothing is noted of it."""
        strange = Identifiers(b"x" * 32).make(MESSAGE, "click", 0, 1)
        self.reader.origins.number("https://shop.example")
        for target in ("/sale", f"/sale-{strange}", f"/{strange}", f"/{strange}-sale"):
            answer = self.reader.get(target)
            self.assertEqual(404, answer.status)
            self.assertNotIn("location", answer.headers)
        self.assertEqual([], self.reader.visits)

    def test_api_beside(self) -> None:
        """The other resources are where they were, at paths that look like links too."""
        self.assertEqual(200, self.reader.post(MINIMAL).status)
        root = self.reader.get("/", Host=PUBLIC_HOST)
        self.assertEqual({"service": "smtpeter", "api": "/v1/"}, root.document)
        answer = self.reader.get(f"/v1/send?access_token={TOKEN}", Host=PUBLIC_HOST)
        self.assertEqual(405, answer.status)
        target = self.reader.target("https://shop.example/v1/send")
        answer = self.reader.get(target)
        self.assertEqual("https://shop.example/v1/send", answer.headers["location"])

    def test_origin_only_in_the_store(self) -> None:
        """An origin that is not in memory is looked up, and the click is noted."""
        target = self.reader.target(ORIGINAL)
        self.reader.origins.unknown_here.add(1)
        answer = self.reader.get(target)
        self.assertEqual((302, ORIGINAL), (answer.status, answer.headers["location"]))
        self.assertEqual([ORIGINAL], [visit.destination for visit in self.reader.visits])

    def test_store_out_of_reach(self) -> None:
        """Without the store links lead on; only of an origin not in memory we say: later."""
        known, unknown = map(self.reader.target, (ORIGINAL, "https://other.example/"))
        self.reader.origins.unknown_here.add(2)
        self.reader.origins.down = self.reader.store.down = True
        self.assertEqual(302, self.reader.get(known).status)
        answer = self.reader.get(unknown)
        self.assertEqual((503, "30"), (answer.status, answer.headers["retry-after"]))
        self.assertEqual([ORIGINAL], [visit.destination for visit in self.reader.visits])

    def test_no_such_origin(self) -> None:
        """A good identifier with an origin that is gone leads nowhere."""
        identifier = self.reader.identifiers.make(MESSAGE, "click", 0, 99)
        self.assertEqual(404, self.reader.get(f"/{identifier}").status)
        self.assertEqual([], self.reader.visits)

    def test_honeypot(self) -> None:
        """The link that no person sees is noted as such, and leads somewhere or nowhere."""
        self.assertEqual(204, self.reader.get(self.reader.plain_target("honeypot")).status)
        answer = self.reader.get(self.reader.target("https://shop.example/", "honeypot"))
        self.assertEqual("https://shop.example/", answer.headers["location"])
        self.assertEqual([("click", True)] * 2, [(v.kind, v.honeypot) for v in self.reader.visits])


class NoOpenRedirectTests(SynchronousTestCase):
    """Nobody gets a redirect to where no mail of ours led."""

    def setUp(self) -> None:
        self.reader = Reader()
        self.reader.origins.number("https://shop.example")

    def assert_leads_home(self, target: str) -> None:
        answer = self.reader.get(target)
        if answer.status == 302:
            self.assertTrue(answer.headers["location"].startswith("https://shop.example/"))
        else:
            self.assertNotIn("location", answer.headers)

    @given(_printable, _printable, _printable)
    def test_around_a_good_identifier(self, before: str, after: str, query: str) -> None:
        """Whatever stands around a good identifier, it only leads to its own origin."""
        identifier = self.reader.identifiers.make(MESSAGE, "click", 0, 1)
        for pattern in ("/{0}{1}{2}?{3}", "/{0}-{1}?{3}", "{0}/{1}?{3}", "/{1}-{2}{3}", "/{0}/{1}"):
            self.assert_leads_home(pattern.format(before, identifier, after, query))

    @given(_identifier_like)
    def test_invented(self, identifier: str) -> None:
        """An invented identifier leads nowhere."""
        for target in (
            f"/{identifier}",
            f"/evil.example-{identifier}",
            f"//evil.example/{identifier}",
        ):
            self.assertEqual(404, self.reader.get(target).status)

    @given(st.integers(0, 27), st.sampled_from(string.ascii_letters + string.digits))
    def test_changed(self, position: int, character: str) -> None:
        """An identifier with one character changed leads nowhere."""
        good = self.reader.identifiers.make(MESSAGE, "click", 0, 1)
        changed = good[:position] + character + good[position + 1 :]
        status = self.reader.get(f"/{changed}").status
        self.assertEqual(302 if changed == good else 404, status)

    def test_tricks(self) -> None:
        """Paths that some browsers take for a host stay behind the origin."""
        identifier = self.reader.identifiers.make(MESSAGE, "click", 0, 1)
        for target in (
            f"//evil.example/-{identifier}",
            f"/\\evil.example/-{identifier}",
            f"/.evil.example-{identifier}",
            f"/@evil.example-{identifier}",
            f"/%0d%0aLocation:https://evil.example-{identifier}",
            f"http://evil.example/{identifier}",
            f"https://evil.example@evil.example/x-{identifier}",
            f"evil.example/-{identifier}",
            f"@evil.example/-{identifier}",
            f".evil.example-{identifier}",
        ):
            answer = self.reader.get(target)
            self.assertEqual(302, answer.status, target)
            self.assertTrue(
                answer.headers["location"].startswith("https://shop.example/"),
                json.dumps(answer.headers),
            )
