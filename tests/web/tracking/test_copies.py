"""Tests for `smtpeter.web.tracking.copies`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.web.tracking.copies import (
    CACHE_ENTRIES,
    DEFAULT_SECONDS,
    FAILURE_SECONDS,
    FETCHES_AT_ONCE,
    LONGEST_SECONDS,
    Copies,
    Copy,
    lifetime_seconds,
)
from tests.web.tracking.reader import SlowServers

URL = "https://shop.example/box.png"
BOX = Copy("image/png", b"a box")
_words = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)


class CopiesTests(SynchronousTestCase):
    """Images that are fetched and kept."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_900_000_000)
        self.servers = SlowServers()
        self.copies = Copies(self.servers, self.clock, cache_octets=10_000)

    def get(self, url: str = URL) -> Deferred[Copy | None]:
        return self.copies.get(url)

    def fetched(self, url: str = URL) -> bool:
        """Whether an image has to be fetched; the request stays unanswered."""
        got = self.get(url)
        return not got.called

    def test_kept(self) -> None:
        """An image is kept as long as its server says, and then fetched anew."""
        got = self.get()
        self.servers.answer(b"a box", cache_control="max-age=100")
        self.assertEqual(BOX, self.successResultOf(got))
        self.clock.advance(99)
        self.assertEqual(BOX, self.successResultOf(self.get()))
        self.clock.advance(2)
        self.assertTrue(self.fetched())

    def test_not_to_be_kept(self) -> None:
        """An image that may not be kept goes to those who wait for it, and is forgotten."""
        first, second = self.get(), self.get()
        self.servers.answer(b"a box", cache_control="no-store")
        self.assertEqual([BOX, BOX], [self.successResultOf(each) for each in (first, second)])
        self.assertTrue(self.fetched())

    def test_fetched_once(self) -> None:
        """Who asks while an image is being fetched waits for the same."""
        waiting = [self.get() for _ in range(5)]
        self.assertEqual(1, len(self.servers.asked))
        self.servers.answer(b"a box")
        for each in waiting:
            self.assertEqual(BOX, self.successResultOf(each))

    def test_failure(self) -> None:
        """After a failure a server is left alone for a while."""
        got = self.get()
        self.servers.refuse()
        self.assertIsNone(self.successResultOf(got))
        self.clock.advance(FAILURE_SECONDS - 1)
        self.assertIsNone(self.successResultOf(self.get()))
        self.clock.advance(2)
        self.assertTrue(self.fetched())

    def test_fault(self) -> None:
        """A fault of ours is logged, and the image is not to be had."""
        got = self.get()
        self.servers.asked.pop()[1].errback(ZeroDivisionError())
        self.assertIsNone(self.successResultOf(got))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_strange_type(self) -> None:
        """A media type that cannot be passed on is none."""
        got = self.get()
        self.servers.answer(b"a box", "image/png\r\nX: y")
        self.assertIsNone(self.successResultOf(got))

    def test_few_at_once(self) -> None:
        """Beyond some fetches at once images are not to be had, and nothing is remembered."""
        waiting = [self.get(f"{URL}?{number}") for number in range(FETCHES_AT_ONCE)]
        self.assertIsNone(self.successResultOf(self.get()))
        self.servers.answer(b"a box")
        self.assertTrue(self.fetched())
        self.assertFalse(waiting[-1].called)

    def test_bounded_octets(self) -> None:
        """The images that were not asked for longest go when there are too many octets."""
        for number in range(4):
            self.get(f"{URL}?{number}")
            self.servers.answer(b"x" * 2000)
            self.get(f"{URL}?0")
        self.assertFalse(self.fetched(f"{URL}?0"))
        self.assertFalse(self.fetched(f"{URL}?3"))
        self.assertTrue(self.fetched(f"{URL}?1"))

    def test_too_large_to_keep(self) -> None:
        """An image that is larger than all there is for images is given and not kept."""
        got = self.get()
        self.servers.answer(b"x" * 20_000)
        self.assertEqual(20_000, len((self.successResultOf(got) or BOX).octets))
        self.assertTrue(self.fetched())

    def test_bounded_entries(self) -> None:
        """Also those that cannot be had are bounded."""
        copies = Copies(self.servers, self.clock)
        for number in range(CACHE_ENTRIES + 10):
            copies.get(f"{URL}?{number}")
            self.servers.refuse()
        self.assertEqual(CACHE_ENTRIES, len(copies._kept))


class LifetimeTests(SynchronousTestCase):
    """How long an answer may be kept."""

    def assert_lifetime(self, seconds: float, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.assertEqual(seconds, lifetime_seconds(named), headers)

    def test_cache_control(self) -> None:
        """Cache-Control decides, what it says for shared caches before all else."""
        self.assert_lifetime(60, cache_control="public, max-age=60")
        self.assert_lifetime(60, cache_control='Max-Age="60"')
        self.assert_lifetime(7, cache_control="max-age=60, s-maxage=7")
        self.assert_lifetime(0, cache_control="max-age=0", expires="Sat, 01 Jan 2050 00:00:00 GMT")
        for word in ("no-store", "No-Cache", "private", "private, max-age=60"):
            self.assert_lifetime(0, cache_control=word)

    def test_age(self) -> None:
        """The time that an answer has spent in other caches counts."""
        self.assert_lifetime(50, cache_control="max-age=60", age="10")
        self.assert_lifetime(0, cache_control="max-age=60", age="100")
        self.assert_lifetime(60, cache_control="max-age=60", age="old")

    def test_expires(self) -> None:
        """Without Cache-Control there may be an Expires, by the server's own clock."""
        date = "Thu, 01 Jan 2026 00:00:00 GMT"
        self.assert_lifetime(3600, date=date, expires="Thu, 01 Jan 2026 01:00:00 GMT")
        self.assert_lifetime(0, date=date, expires="Wed, 31 Dec 2025 00:00:00 GMT")
        for never in ("0", "-1", "soon"):
            self.assert_lifetime(0, date=date, expires=never)

    def test_silence(self) -> None:
        """A server that says nothing leaves it to us; nobody makes us keep anything for ever."""
        self.assert_lifetime(DEFAULT_SECONDS)
        self.assert_lifetime(DEFAULT_SECONDS, cache_control="public")
        self.assert_lifetime(LONGEST_SECONDS, cache_control="max-age=" + "9" * 30)

    @given(st.dictionaries(st.sampled_from(["cache-control", "age", "expires", "date"]), _words))
    def test_any(self, headers: dict[str, str]) -> None:
        """Whatever a server says is a time between nothing and the longest."""
        self.assertTrue(0 <= lifetime_seconds(headers) <= LONGEST_SECONDS)
