"""Policies from a web server on loopback."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from OpenSSL.crypto import X509, PKey
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.trial.unittest import TestCase

from smtpeter.delivery.hostnames import ResolvingReactor
from smtpeter.delivery.resolver import MailResolver
from smtpeter.delivery.security.stsfetching import PolicyFetcher, PolicyNotFetched
from smtpeter.delivery.security.stspolicy import MAX_POLICY_OCTETS, StsMode, StsPolicy
from smtpeter.delivery.security.tlsresult import TlsFault, TlsResult
from smtpeter.delivery.security.trust import Trust
from tests.certificates import EXPIRED, Issued, issued, ordinary, ordinary_authority
from tests.delivery.zone import Zone

reactor: Any = installed
DOMAIN = "mailbox.example"
HOST = f"mta-sts.{DOMAIN}"
POLICY = b"version: STSv1\nmode: enforce\nmx: mx.mailbox.example\nmax_age: 86400\n"


def response(body: bytes = POLICY, kind: str = "text/plain", status: str = "200 OK") -> bytes:
    """Write one."""
    fields = [f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Location: /other"]
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode() + body


class WebServer(Protocol):
    """Answers every request with the same."""

    def __init__(self, answer: bytes, heard: list[str]) -> None:
        self.answer = answer
        self.heard = heard
        self.request = b""

    def dataReceived(self, data: bytes) -> None:
        self.request += data
        if self.request.endswith(b"\r\n\r\n"):
            assert self.transport is not None
            self.heard[:] = self.request.decode().split("\r\n")
            self.transport.write(self.answer)


class FetchingTests(TestCase):
    """What is fetched, and what is not taken."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        ca_file = Path(directory.name) / "authority.pem"
        ca_file.write_bytes(ordinary_authority().pem())
        zone = Zone()
        zone.host(HOST, "127.0.0.1")
        self.names = ResolvingReactor(reactor, MailResolver(zone, reactor))
        self.trust = Trust(ca_file, lambda function, *args: succeed(function(*args)), reactor)
        self.heard: list[str] = []

    def serve(self, answer: bytes, own: Issued) -> int:
        """Have a server present something and answer so; returns its port."""
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda _: WebServer(answer, self.heard)  # type: ignore[assignment,method-assign]
        options = CertificateOptions(
            privateKey=PKey.from_cryptography_key(own.key),
            certificate=X509.from_cryptography(own.certificate),
        )
        port = reactor.listenSSL(0, factory, options, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    def fetch(self, answer: bytes, own: Issued, *, private: bool = True) -> Deferred[StsPolicy]:
        """Fetch a policy from such a server."""
        port = self.serve(answer, own)
        fetcher = PolicyFetcher(self.names, self.trust, private=private, port=port)
        return Deferred.fromCoroutine(fetcher.fetch(DOMAIN))

    async def fault(self, answer: bytes, own: Issued | None = None, **how: bool) -> TlsFault:
        """Why nothing was taken."""
        fetching = self.fetch(answer, own or ordinary(HOST), **how)
        error = await self.assertFailure(fetching, PolicyNotFetched)
        assert isinstance(error, PolicyNotFetched)
        self.assertNotIn("\n", str(error))
        return error.fault

    async def test_fetched(self) -> None:
        """A policy comes from a host of the domain, which proves its name."""
        expected = StsPolicy(StsMode.ENFORCE, ("mx.mailbox.example",), 86_400)
        for kind in ("text/plain", "text/plain; charset=utf-8"):
            self.assertEqual(expected, await self.fetch(response(kind=kind), ordinary(HOST)))
            line, *fields = self.heard
            self.assertEqual("GET /.well-known/mta-sts.txt HTTP/1.1", line)
            (host,) = [each for each in fields if each.lower().startswith("host:")]
            self.assertIn(HOST, host)

    async def test_not_fetched(self) -> None:
        """What is not there, somewhere else, of another kind or too long is not taken."""
        for answer in (
            response(status="404 Not Found"),
            response(status="302 Found"),
            response(kind="text/html"),
            response(POLICY + b"#" * MAX_POLICY_OCTETS),
        ):
            fault = await self.fault(answer)
            self.assertEqual(TlsResult.STS_POLICY_FETCH_ERROR, fault.result)

    async def test_no_policy(self) -> None:
        """What is no policy is told apart."""
        fault = await self.fault(response(b"nothing of the kind"))
        self.assertEqual(TlsResult.STS_POLICY_INVALID, fault.result)

    async def test_unproved(self) -> None:
        """A server that does not prove its name is not believed."""
        known = ordinary_authority()
        for own in (
            issued(DOMAIN, by=known),
            issued(HOST, by=known, term=EXPIRED),
            issued(HOST),
        ):
            fault = await self.fault(response(), own)
            self.assertEqual(TlsResult.STS_WEBPKI_INVALID, fault.result)
            self.assertIn("certificate", fault.text)
            self.assertEqual([], self.heard)

    async def test_inside(self) -> None:
        """Nobody is led into our own network, unless that is allowed."""
        fault = await self.fault(response(), private=False)
        self.assertEqual(TlsResult.STS_POLICY_FETCH_ERROR, fault.result)
        self.assertEqual([], self.heard)

    async def test_impossible_name(self) -> None:
        """A domain that no web server can have is no fault of ours."""
        fetcher = PolicyFetcher(self.names, self.trust)
        fetching = Deferred.fromCoroutine(fetcher.fetch("a" * 300))
        await self.assertFailure(fetching, PolicyNotFetched)
