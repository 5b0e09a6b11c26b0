from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import optionsForClientTLS
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.fetching import MAX_REDIRECTS, TOTAL_SECONDS, Fetched, Fetcher, FetchFailed
from tests.network import Network

NAMES = {"shop.example": ["1.1.1.1"], "inside.example": ["10.0.0.1"], "cdn.example": ["1.0.0.1"]}
URL = "http://shop.example/box.png?v=2"
LIMIT = 1000


def response(*fields: str, status: str = "200 OK", body: bytes = b"") -> bytes:
    """Write a response."""
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode() + body


class FetcherTests(SynchronousTestCase):
    """Images from strangers' servers."""

    def setUp(self) -> None:
        self.network = Network(NAMES)
        self.fetcher = Fetcher(self.network)

    def fetch(self, url: str = URL) -> Deferred[Fetched]:
        return self.fetcher.fetch(url, LIMIT, "image/")

    def answered(self, octets: bytes, url: str = URL) -> Deferred[Fetched]:
        """Fetch from a server that answers so."""
        fetching = self.fetch(url)
        self.peer = self.network.accept()
        self.peer.send(octets)
        return fetching

    def assert_failed(self, fetching: Deferred[Fetched], words: str) -> None:
        failure = self.failureResultOf(fetching, FetchFailed)
        self.assertIn(words, failure.getErrorMessage())
        self.assertNotIn("\n", failure.getErrorMessage())

    def test_fetched(self) -> None:
        """An image comes with its octets and its header; the server learns nothing of readers."""
        octets = response("Content-Type: image/png", "Content-Length: 5", "ETag: x", body=b"a box")
        fetched = self.successResultOf(self.answered(octets))
        self.assertEqual(b"a box", fetched.octets)
        self.assertEqual(
            ("image/png", "x"), (fetched.headers["content-type"], fetched.headers["etag"])
        )
        line, *fields = self.peer.received.decode().rstrip().split("\r\n")
        self.assertEqual("GET /box.png?v=2 HTTP/1.1", line)
        names = {field.partition(":")[0].lower() for field in fields}
        self.assertEqual({"host", "user-agent", "accept"}, names - {"connection"})

    def test_until_the_end(self) -> None:
        """An image without a length ends with its connection."""
        fetching = self.answered(response("Content-Type: image/png", body=b"a box"))
        self.assertNoResult(fetching)
        self.peer.close()
        self.assertEqual(b"a box", self.successResultOf(fetching).octets)

    def test_cut_off(self) -> None:
        """An image that is cut off is none."""
        octets = response("Content-Type: image/png", "Content-Length: 50", body=b"a box")
        fetching = self.answered(octets)
        self.peer.close()
        self.assert_failed(fetching, "cut off")

    def test_no_image(self) -> None:
        """What is no image, or encoded, or not there, is not taken, and nothing is waited for."""
        for octets, words in (
            (response("Content-Type: text/html", "Content-Length: 500"), "text/html"),
            (response("Content-Length: 500"), "no type"),
            (response("Content-Type: image/png", status="404 Not Found"), "status 404"),
            (response("Content-Type: image/png", status="206 Partial Content"), "status 206"),
            (response("Content-Type: image/svg+xml", "Content-Encoding: gzip"), "gzip"),
        ):
            self.assert_failed(self.answered(octets), words)
            self.assertTrue(self.peer.cut)

    def test_announced_too_large(self) -> None:
        """What says that it is too large is not read."""
        octets = response("Content-Type: image/png", f"Content-Length: {LIMIT + 1}")
        self.assert_failed(self.answered(octets), "larger than 1000")
        self.assertTrue(self.peer.cut)

    def test_too_large(self) -> None:
        """What turns out to be too large is read no further."""
        fetching = self.answered(response("Content-Type: image/png", body=b"x" * LIMIT))
        self.assertNoResult(fetching)
        self.peer.send(b"x")
        self.assert_failed(fetching, "larger than 1000")
        self.assertTrue(self.peer.cut)

    def test_slow(self) -> None:
        """What takes too long is given up, wherever it is."""
        for octets in (b"", b"HTTP/1.1 200 OK\r\n", response("Content-Type: image/png", body=b"x")):
            fetching = self.answered(octets)
            self.network.advance(TOTAL_SECONDS + 1)
            self.assert_failed(fetching, "")
            self.assertTrue(self.peer.cut)
        fetching = self.fetch()  # nobody answers at all
        self.network.advance(TOTAL_SECONDS + 1)
        self.failureResultOf(fetching, FetchFailed)

    def test_redirect(self) -> None:
        """Redirects are followed, relative ones too, and their connections are not kept waiting."""
        fetching = self.answered(response("Location: /other.png", status="302 Found"))
        self.assertTrue(self.peer.cut)
        moved = response("Location: http://cdn.example/a.png", status="308 Permanent Redirect")
        self.network.accept().send(moved)
        last = self.network.accept()
        last.send(response("Content-Type: image/png", "Content-Length: 5", body=b"a box"))
        self.assertEqual(b"a box", self.successResultOf(fetching).octets)
        self.assertIn(b"GET /a.png ", last.received)
        self.assertEqual([("1.1.1.1", 80)] * 2 + [("1.0.0.1", 80)], self.network.asked)

    def test_redirects_for_ever(self) -> None:
        """Redirects are not followed for ever."""
        fetching = self.fetch()
        for _ in range(1 + MAX_REDIRECTS):
            self.network.accept().send(response("Location: /", status="302 Found"))
        self.assert_failed(fetching, "more than 5 redirects")
        self.assertEqual(1 + MAX_REDIRECTS, len(self.network.asked))

    def test_no_redirects(self) -> None:
        """Where none is to be followed none is."""
        self.fetcher = Fetcher(self.network, redirects=0)
        fetching = self.answered(response("Location: /other.png", status="302 Found"))
        self.assert_failed(fetching, "more than 0 redirects")
        self.assertEqual(1, len(self.network.asked))

    def test_inside(self) -> None:
        """No URL leads into our own network, by name, by address, or by a redirect."""
        for url in (
            "http://inside.example/",
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "https://10.0.0.1/",
        ):
            self.assert_failed(self.fetch(url), "no results for hostname lookup")
            self.assertEqual([], self.network.asked)
            fetching = self.answered(response(f"Location: {url}", status="302 Found"))
            self.assert_failed(fetching, "no results for hostname lookup")
            self.assertEqual([("1.1.1.1", 80)], self.network.asked)
            self.network.tcpClients.clear()

    def test_inside_allowed(self) -> None:
        """Where the operator allows it, URLs lead there."""
        self.fetcher = Fetcher(self.network, private=True)
        self.fetch("http://inside.example/")
        self.fetch("http://127.0.0.1:8080/")
        self.assertEqual([("10.0.0.1", 80), ("127.0.0.1", 8080)], self.network.asked)

    def test_https(self) -> None:
        """An https URL is asked for by TLS."""
        self.fetch("https://shop.example/")
        self.assertEqual([("1.1.1.1", 443)], self.network.asked)
        self.assertEqual(b"\x16\x03", self.network.accept().received[:2])  # a handshake

    def test_verified(self) -> None:
        """Who fetches may say how a host is to prove its name."""
        asked: list[str] = []

        def tls_for(host: str) -> IOpenSSLClientConnectionCreator:
            asked.append(host)
            return optionsForClientTLS(host)

        self.fetcher = Fetcher(self.network, tls_for=tls_for)
        self.fetch("https://shop.example/")
        self.assertEqual(["shop.example"], asked)

    def test_no_url(self) -> None:
        """What is no URL of the web fails like all else."""
        for url in (
            "ftp://shop.example/",
            "http://",
            "http://\N{SNOWMAN}/",
            "nonsense",
            "http://a b/",
        ):
            self.failureResultOf(self.fetch(url), FetchFailed)
        self.assertEqual([], self.network.asked)
