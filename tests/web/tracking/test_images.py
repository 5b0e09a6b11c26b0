"""Tests for opens, hosted images and the web version."""

from __future__ import annotations

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.store.images import Image
from smtpeter.web.tracking.answers import PIXEL
from smtpeter.web.tracking.hosted import digest_in, image_path
from tests.web.caller import CLIENT, NOW
from tests.web.tracking.reader import MESSAGE, Reader

BOX = "https://shop.example/i/box.png?v=2"
LOGO = Image("image/png", b"\x89PNG\r\n\x1a\n logo")


class OpenTests(SynchronousTestCase):
    """Images that are asked for at our address."""

    def setUp(self) -> None:
        self.reader = Reader()
        self.target = self.reader.target(BOX, "open", number=2)

    def test_copy(self) -> None:
        """The first open fetches the image, and gets it with the media type that it has."""
        connection = self.reader.ask(self.target)
        self.assertEqual([], connection.answers())
        self.reader.servers.answer(b"a box", "image/svg+xml; charset=utf-8")
        (answer,) = connection.answers()
        self.assertEqual((200, b"a box"), (answer.status, answer.body))
        self.assertEqual("image/svg+xml; charset=utf-8", answer.headers["content-type"])
        self.assertEqual("no-cache, private", answer.headers["cache-control"])
        self.assertEqual("nosniff", answer.headers["x-content-type-options"])
        self.assertIn("sandbox", answer.headers["content-security-policy"])

    def test_again(self) -> None:
        """Every open is noted, and the image is fetched once."""
        connection = self.reader.ask(self.target)
        self.assertEqual(BOX, self.reader.servers.asked[0][0])
        self.reader.servers.answer(b"a box")
        self.assertEqual(b"a box", self.reader.get(self.target).body)
        self.assertEqual(1, len(connection.answers()))
        self.assertEqual([], self.reader.servers.asked)
        self.assertEqual(
            [(NOW, "open", MESSAGE, 2, BOX)] * 2,
            [
                (visit.time, visit.kind, visit.message, visit.link, visit.destination)
                for visit in self.reader.visits
            ],
        )

    def test_not_to_be_had(self) -> None:
        """An image that cannot be fetched is left to the reader, and that is an open too."""
        connection = self.reader.ask(self.target)
        self.reader.servers.refuse()
        (answer,) = connection.answers()
        self.assertEqual((302, BOX), (answer.status, answer.headers["location"]))
        self.assertEqual("no-store", answer.headers["cache-control"])
        self.assertEqual([BOX], [visit.destination for visit in self.reader.visits])

    def test_head(self) -> None:
        """HEAD gets the header of the image, and is noted as what it is."""
        self.reader.ask(self.target, "HEAD")
        self.reader.servers.answer(b"a box")
        answer = self.reader.get(self.target, "HEAD")
        self.assertEqual(
            (200, b"", "5"),
            (
                answer.status,
                answer.body,
                answer.headers["content-length"],
            ),
        )
        self.assertEqual({"HEAD"}, {visit.method for visit in self.reader.visits})

    def test_pixel(self) -> None:
        """What has no original is one transparent point."""
        answer = self.reader.get(self.reader.plain_target("open", "/{}.gif"))
        self.assertEqual((200, PIXEL), (answer.status, answer.body))
        self.assertEqual("image/gif", answer.headers["content-type"])
        self.assertEqual("no-cache, private", answer.headers["cache-control"])
        self.assertEqual([("open", "")], [(v.kind, v.destination) for v in self.reader.visits])
        # GIF89a, 1 by 1, one image, the trailer
        self.assertEqual(b"GIF89a\x01\x00\x01\x00", PIXEL[:10])
        self.assertEqual((43, b";"), (len(PIXEL), PIXEL[-1:]))

    def test_hung_up(self) -> None:
        """Who does not wait for the image has asked for it nevertheless."""
        connection = self.reader.ask(self.target)
        connection.lose()
        self.reader.servers.answer(b"a box")
        self.assertEqual(1, len(self.reader.visits))

    def test_hosted(self) -> None:
        """An image that we host is not fetched from ourselves."""
        self.reader.store.images[LOGO.digest] = LOGO
        path = image_path(LOGO.digest, "logo.png")
        target = self.reader.target(f"https://clicks.shop.example{path}", "open")
        answer = self.reader.get(target)
        self.assertEqual((200, LOGO.octets), (answer.status, answer.body))
        self.assertEqual("no-cache, private", answer.headers["cache-control"])
        self.assertEqual([], self.reader.servers.asked)
        self.assertEqual(1, len(self.reader.visits))


class HostedImageTests(SynchronousTestCase):
    """Hosted images at their own address."""

    def setUp(self) -> None:
        self.reader = Reader()
        self.reader.store.images[LOGO.digest] = LOGO
        self.path = image_path(LOGO.digest, "our logo/1.png")

    def test_path(self) -> None:
        """The path of an image names its digest, and ends in the name of the file."""
        self.assertTrue(self.path.endswith("/our%20logo%2F1.png"))
        self.assertEqual(LOGO.digest, digest_in(self.path))
        self.assertEqual(LOGO.digest, digest_in(f"{self.path}?a=b/c"))
        self.assertTrue(image_path(LOGO.digest, "").endswith("/image"))
        for other in ("/", "/images/x/a.png", self.path[:-20], f"/a{self.path}", f"{self.path}/b"):
            self.assertIsNone(digest_in(other), other)

    def test_shown(self) -> None:
        """An image may be kept for long, and looking at it is not noted."""
        answer = self.reader.get(self.path)
        self.assertEqual((200, LOGO.octets), (answer.status, answer.body))
        self.assertEqual("image/png", answer.headers["content-type"])
        self.assertIn("max-age=31536000", answer.headers["cache-control"])
        self.assertEqual([], self.reader.visits)

    def test_unchanged(self) -> None:
        """Who has the image already is told so."""
        etag = self.reader.get(self.path).headers["etag"]
        answer = self.reader.get(self.path, If_None_Match=etag)
        self.assertEqual((304, b""), (answer.status, answer.body))
        self.assertNotIn("content-length", answer.headers)
        self.assertEqual(200, self.reader.get(self.path, If_None_Match='"other"').status)

    def test_in_memory(self) -> None:
        """An image that is asked for often is read once, and shown without the store."""
        self.reader.get(self.path)
        self.reader.store.down = True
        self.assertEqual(200, self.reader.get(self.path).status)
        self.assertEqual(1, self.reader.store.reads)

    def test_not_there(self) -> None:
        """An image that nobody needs any more is not there."""
        self.assertEqual(404, self.reader.get(image_path("0" * 64, "a.png")).status)
        self.assertEqual(404, self.reader.get("/images/").status)

    def test_not_in_access_log(self) -> None:
        """Who asks for a hosted image is not in the log, whether it is there or not."""
        with capturedLogs() as logged:
            self.reader.get(self.path)
            self.reader.get(image_path("0" * 64, "a.png"), Host="mail.relay.example")
        self.assertNotIn(CLIENT, repr(logged))

    def test_store_out_of_reach(self) -> None:
        """While the store cannot be asked, the answer is: later."""
        self.reader.store.down = True
        answer = self.reader.get(self.path)
        self.assertEqual((503, "30"), (answer.status, answer.headers["retry-after"]))


class WebVersionTests(SynchronousTestCase):
    """Messages as pages."""

    def setUp(self) -> None:
        self.reader = Reader()
        self.target = self.reader.plain_target("webversion", "/webversion/{}")

    def test_page(self) -> None:
        """A message is shown as HTML, to nobody else, and without our rights."""
        self.reader.pages[MESSAGE] = "<p>Grüße</p>"
        answer = self.reader.get(self.target)
        self.assertEqual((200, "<p>Grüße</p>"), (answer.status, answer.body.decode()))
        self.assertEqual("text/html; charset=utf-8", answer.headers["content-type"])
        self.assertEqual("noindex", answer.headers["x-robots-tag"])
        self.assertEqual("no-referrer", answer.headers["referrer-policy"])
        policy = answer.headers["content-security-policy"]
        self.assertIn("sandbox", policy)
        self.assertNotIn("allow-scripts", policy)
        self.assertNotIn("allow-same-origin", policy)

    def test_not_counted(self) -> None:
        """Looking at the page is neither an open nor a click."""
        self.reader.pages[MESSAGE] = "<p>"
        self.reader.get(self.target)
        self.assertEqual([], self.reader.visits)

    def test_gone(self) -> None:
        """A message that is kept no longer has no page."""
        self.assertEqual(404, self.reader.get(self.target).status)

    def test_store_out_of_reach(self) -> None:
        """While the store cannot be asked, the answer is: later."""
        self.reader.store.down = True
        self.assertEqual(503, self.reader.get(self.target).status)

    def test_fault(self) -> None:
        """A fault of ours is logged, and answered with the id of the request."""
        self.patch(self.reader, "pages", None)
        answer = self.reader.get(self.target)
        self.assertEqual(500, answer.status)
        self.assertEqual(1, len(self.flushLoggedErrors(AttributeError)))

    def test_other_kinds(self) -> None:
        """An identifier of a kind that is not asked for by readers leads nowhere."""
        self.assertEqual(404, self.reader.get(self.reader.plain_target("image")).status)
