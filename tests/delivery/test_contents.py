from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.contents import LARGEST_CACHED_OCTETS, ContentSource
from smtpeter.message.content import Content
from smtpeter.store.database import StoreUnavailable
from tests.delivery.house import FakeStore


def content(octets: int) -> Content:
    """A content of so many octets."""
    return Content.from_octets(b"\r\n" + b"x" * (octets - 4) + b"\r\n")


class ContentSourceTests(SynchronousTestCase):
    """Contents from memory, else from the store."""

    def setUp(self) -> None:
        self.store = FakeStore()
        self.store.prompt = False
        self.contents = ContentSource(self.store, 1000)  # type: ignore[arg-type]

    def test_from_memory(self) -> None:
        """What was just stored is not read back."""
        one = content(100)
        self.contents.keep(1, one)
        self.assertIs(one, self.successResultOf(self.contents.get(1)))
        self.assertEqual([], self.store.reads)

    def test_from_the_store(self) -> None:
        """What is not in memory is read; None is what is kept no longer."""
        one = content(100)
        self.store.contents[1] = one
        known, gone = self.contents.get(1), self.contents.get(2)
        self.store.catch_up()
        self.assertIs(one, self.successResultOf(known))
        self.assertIsNone(self.successResultOf(gone))

    def test_read_once(self) -> None:
        """The many messages of a submission have its content read once, however they ask."""
        one = self.store.contents[1] = content(100)
        first, second = self.contents.get(1), self.contents.get(1)
        self.assertEqual(1, len(self.store.reads))
        self.store.catch_up()
        for asked in (first, second, self.contents.get(1)):
            self.assertIs(one, self.successResultOf(asked))
        self.assertEqual([], self.store.reads)

    def test_gone(self) -> None:
        """What is not there is asked for anew each time."""
        gone = self.contents.get(1)
        self.store.catch_up()
        self.assertIsNone(self.successResultOf(gone))
        self.contents.get(1)
        self.assertEqual(1, len(self.store.reads))

    def test_given_up(self) -> None:
        """Who asked first may give up; the others get what they asked for."""
        self.store.contents[1] = content(100)
        first, second = self.contents.get(1), self.contents.get(1)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.store.catch_up()
        self.assertIs(self.store.contents[1], self.successResultOf(second))

    def test_fault(self) -> None:
        """A store that cannot read is not a content that is gone."""
        asked = self.contents.get(1)
        self.store.fail(self.store.reads[0])
        self.failureResultOf(asked, StoreUnavailable)

    def test_bounded(self) -> None:
        """The longest unused make room for the new; the memory used stays below its limit."""
        for key in range(10):
            self.contents.keep(key, content(100))
        self.contents.get(0)
        self.contents.keep(10, content(100))
        kept = [key for key in range(11) if self.contents.get(key).called]
        self.assertEqual([0, *range(2, 11)], kept)

    def test_kept_twice(self) -> None:
        """A content that is announced for each of its receivers takes its room once."""
        for _ in range(100):
            self.contents.keep(1, content(400))
        self.contents.keep(2, content(400))
        self.assertTrue(self.contents.get(1).called and self.contents.get(2).called)

    def test_too_large(self) -> None:
        """A large content does not drive all others out."""
        contents = ContentSource(self.store)  # type: ignore[arg-type]
        contents.keep(1, content(100))
        contents.keep(2, content(LARGEST_CACHED_OCTETS + 1))
        self.assertTrue(contents.get(1).called)
        self.assertFalse(contents.get(2).called)
