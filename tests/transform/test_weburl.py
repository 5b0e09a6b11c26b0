from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform import weburl
from tests.transform.urls import URLS

PIECES = (
    *"/\\?#:@[].%&=;,+-_~!$'()*|{}`\"<> \t\n\0^aB\u00e9\u00df\ud800",
    *("http:", "https://", "HTTP://", "x.example", "\u00fc.example", "..", "/./", "%2e%2E", "%2F"),
    *(":443", ":8080", "user:pw@", "[::1]", "127.1", "0x7f", "08", "xn--bcher-kva", "\U0001f600"),
)
ANYTHING = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text()
BEHIND_A_HOST = ANYTHING.map(lambda rest: f"https://x.example/{rest}")


class ParseTests(SynchronousTestCase):
    """What a browser makes of an address."""

    def test_corpus(self) -> None:
        """Each address that people write leads where browsers go."""
        self.assertGreater(len(URLS), 150)
        self.assertEqual(len(URLS), len(dict(URLS)))
        for href, requested in URLS:
            url = weburl.parse(href)
            self.assertEqual(requested, url and url.requested, repr(href))

    def test_parts(self) -> None:
        """A URL comes apart, and its parts together are it."""
        url = weburl.parse("HTTPS://Kees:x@Shop.Example:8443/a b?c=\u00e9#d e")
        origin = "https://Kees:x@shop.example:8443"
        expected = weburl.WebURL(origin, "shop.example", "/a%20b", "?c=%C3%A9", "#d%20e")
        self.assertEqual(expected, url)
        self.assertEqual(f"{origin}/a%20b?c=%C3%A9#d%20e", str(url))

    def test_fragment(self) -> None:
        """Fragments escape a set of their own."""
        url = weburl.parse("https://x.example/#a#<>`\"{}|^'%zz\u00e9")
        self.assertEqual("#a#%3C%3E%60%22{}|^'%zz%C3%A9", url and url.fragment)

    def test_long_host(self) -> None:
        """A host that is longer than any is not looked at."""
        self.assertIsNone(weburl.parse("https://" + "a." * 1000 + "example/"))
        self.assertIsNone(weburl.parse("https://" + "\u00fc" * 100_000 + "/"))

    @given(ANYTHING | BEHIND_A_HOST)
    def test_visible(self, text: str) -> None:
        """Whatever is read as an address is visible ASCII, with a host and a path."""
        url = weburl.parse(text)
        if url:
            self.assertRegex(str(url), r"\A[!-~]+\Z")
            self.assertRegex(url.origin, r"\Ahttps?://[^/?#]+\Z")
            self.assertTrue(url.host and url.path.startswith("/"))
            self.assertRegex(url.query + url.fragment, r"\A(\?[^#]*)?(#.*)?\Z")

    @given(ANYTHING | BEHIND_A_HOST)
    def test_settled(self, text: str) -> None:
        """What a browser has made of an address it leaves as it is."""
        url = weburl.parse(text)
        if url:
            self.assertEqual(url, weburl.parse(str(url)))

    @given(ANYTHING | BEHIND_A_HOST)
    def test_canonical(self, text: str) -> None:
        """An address that is written as it should be is read as any other."""
        self.assertEqual(weburl.parse_any(text), weburl.parse(text))
        for href, _ in URLS:
            self.assertEqual(weburl.parse_any(href), weburl.parse(href), repr(href))

    @given(BEHIND_A_HOST)
    def test_same_host(self, text: str) -> None:
        """Nothing behind the host changes the host."""
        url = weburl.parse(text)
        self.assertEqual("https://x.example", url and url.origin)
