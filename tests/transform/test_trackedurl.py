from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform import weburl
from smtpeter.transform.identifier import Identified, Identifiers
from smtpeter.transform.trackedurl import Resolved, resolve, tracked_url
from tests.transform.test_weburl import BEHIND_A_HOST
from tests.transform.urls import URLS

IDENTIFIERS = Identifiers(b"k" * 32)
IDENTIFIED = Identified("7hQx2LmPzR9aTc04", "click", 3, 7)
IDENTIFIER = IDENTIFIERS.make("7hQx2LmPzR9aTc04", "click", 3, 7)
BASE = "https://clicks.shop.example"


def tracked(href: str, *, keep_extension: bool = False) -> str:
    """The address of a link when it leads through us."""
    url = weburl.parse(href)
    assert url
    return tracked_url(BASE, url, IDENTIFIER, keep_extension=keep_extension)


def request_target(address: str) -> bytes:
    """What a browser asks our server for when someone follows a link to it."""
    url = weburl.parse(address)
    assert url
    assert url.origin == BASE
    return (url.path + url.query).encode("ascii")


def rest(target: str) -> str | None:
    """Path and query of the original, when it is asked for; IDENT stands for the identifier."""
    resolved = resolve(target.replace("IDENT", IDENTIFIER).encode(), IDENTIFIERS.read)
    return resolved.rest if resolved else None


class TrackedURLTests(SynchronousTestCase):
    """The address of a link that leads through us."""

    def test_form(self) -> None:
        """Another host, the identifier at the end of the path; query and fragment as before."""
        for href, expected in (
            ("https://shop.example/sale/boots?size=43#top", "/sale/boots-IDENT?size=43#top"),
            ("https://shop.example/sale/?size=43", "/sale/IDENT?size=43"),
            ("http://shop.example:8080", "/IDENT"),
            ("https://shop.example?a#b", "/IDENT?a#b"),
            ("https://shop.example/a.html", "/a.html-IDENT"),
            ("https://shop.example/a;b=c", "/a;b=c-IDENT"),
            ("https://shop.example/a/..", "/IDENT"),
        ):
            self.assertEqual(BASE + expected.replace("IDENT", IDENTIFIER), tracked(href), href)

    def test_extension(self) -> None:
        """Where the extension counts it stays last."""
        for href, expected in (
            ("https://shop.example/i/box.png?v=2", "/i/box-IDENT.png?v=2"),
            ("https://shop.example/i/box", "/i/box-IDENT"),
            ("https://shop.example/i.d/", "/i.d/IDENT"),
            ("https://shop.example/i/box.min.JPG", "/i/box.min-IDENT.JPG"),
            ("https://shop.example/.png", "/IDENT.png"),
            ("https://shop.example/box.", "/box.-IDENT"),
        ):
            found = tracked(href, keep_extension=True)
            self.assertEqual(BASE + expected.replace("IDENT", IDENTIFIER), found, href)


class ResolveTests(SynchronousTestCase):
    """From what is asked for back to the original."""

    def test_both_ends(self) -> None:
        """The identifier may stand at the end of the path or in front of it."""
        for target, expected in (
            ("/sale/boots-IDENT?size=43", "/sale/boots?size=43"),
            ("/IDENT-sale/boots?size=43", "/sale/boots?size=43"),
            ("/IDENT", "/"),
            ("/IDENT?", "/?"),
            ("/IDENT-", "/"),
            ("/a/IDENT", "/a/"),
            ("/a--IDENT", "/a-"),
            ("/i/box-IDENT.png", "/i/box.png"),
            ("/IDENT-i/box.png", "/i/box.png"),
        ):
            self.assertEqual(expected, rest(target), target)

    def test_what(self) -> None:
        """It says what the identifier stands for."""
        resolved = resolve(b"/a-" + IDENTIFIER.encode() + b"?b", IDENTIFIERS.read)
        self.assertEqual(Resolved(IDENTIFIED, "/a?b"), resolved)

    def test_elsewhere(self) -> None:
        """An identifier anywhere else, changed, or none at all leads nowhere."""
        for target in (
            "/",
            "",
            "IDENT",
            "*",
            "/a",
            "/a/IDENT/",
            "/a/IDENT/b",
            "/a/IDENT-b",
            "/aIDENT",
            "/a_IDENT",
            "/a-IDENTa",
            "/a?IDENT",
            "/?a=b-IDENT",
            "/a-IDENT.tar.gz",
            "/a-IDENT-b",
            "/a%2DIDENT",
            "http://clicks.shop.example/a",
        ):
            self.assertIsNone(rest(target), target)

    def test_visible(self) -> None:
        """Octets that no URL holds are escaped: the rest goes into a header field."""
        self.assertEqual("/a%20%0D%0A%C3%A9%7F?%00%FF", rest_of(b"/a \r\n\xc3\xa9\x7f-%s?\0\xff"))

    def test_corpus(self) -> None:
        """Each ugly address, tracked and followed, leads to what was asked for without us."""
        for href, requested in URLS:
            if requested is None:
                continue
            url = weburl.parse(href)
            assert url
            for keep_extension in (False, True):
                target = request_target(tracked(href, keep_extension=keep_extension))
                resolved = resolve(target, IDENTIFIERS.read)
                self.assertEqual(requested, resolved and url.origin + resolved.rest, repr(href))

    @given(BEHIND_A_HOST, st.booleans())
    def test_any(self, href: str, keep_extension: bool) -> None:  # noqa: FBT001
        """So does any other."""
        url = weburl.parse(href)
        assert url
        address = tracked(href, keep_extension=keep_extension)
        resolved = resolve(request_target(address), IDENTIFIERS.read)
        self.assertEqual(url.requested, resolved and url.origin + resolved.rest)
        followed = weburl.parse(address)
        self.assertEqual(url.fragment, followed and followed.fragment)

    @given(st.binary(max_size=20), st.binary(max_size=20))
    def test_no_open_redirect(self, before: bytes, after: bytes) -> None:
        """Whatever is put around an identifier, its origin is where it leads."""
        for target in (
            b"/" + before + b"-" + IDENTIFIER.encode() + after,
            b"/" + IDENTIFIER.encode() + b"-" + after,
            b"/" + before + b"/" + IDENTIFIER.encode() + b"?" + after,
        ):
            resolved = resolve(target, IDENTIFIERS.read)
            if resolved:
                url = weburl.parse("https://shop.example" + resolved.rest)
                self.assertEqual("https://shop.example", url and url.origin)
                self.assertRegex(resolved.rest, r"\A/[!-~]*\Z")

    @given(st.text("abcXYZ0123456789-/.", max_size=60))
    def test_invented(self, path: str) -> None:
        """What holds no identifier of ours leads nowhere."""
        assume(IDENTIFIER not in path)
        self.assertIsNone(resolve(f"/{path}".encode(), IDENTIFIERS.read))


def rest_of(target: bytes) -> str | None:
    """Path and query of the original when octets are asked for."""
    resolved = resolve(target % IDENTIFIER.encode(), IDENTIFIERS.read)
    return resolved.rest if resolved else None
