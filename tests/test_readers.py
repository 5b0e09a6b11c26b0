from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred, execute, fail
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.events.places import Places
from smtpeter.readers import renew_places
from smtpeter.threads import Threads, ThreadsEnded
from tests.events.mmdb import write_mmdb
from tests.events.test_places import LYON, UTRECHT


class NoThreads:
    """Calls at once, while it runs."""

    calls = 0
    ended = False

    def call(self, function: Any, *args: Any) -> Deferred[Any]:
        self.calls += 1
        return fail(ThreadsEnded()) if self.ended else execute(function, *args)


class RenewPlacesTests(SynchronousTestCase):
    """The file of places at SIGHUP."""

    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        self.file = directory / "places.mmdb"
        write_mmdb(self.file, {"203.0.113.0/24": UTRECHT})
        self.places = Places.open(self.file)
        self.threads = NoThreads()

    def renew(self) -> str:
        """Renew; what is logged of it."""
        with capturedLogs() as logged:
            renew_places(self.places, cast("Threads", self.threads))
        return repr([(each["log_format"], each.get("error")) for each in logged])

    def city(self) -> str:
        return self.places.of("203.0.113.9").city

    def test_renewed(self) -> None:
        """A newer file is taken up, in a thread, and that is logged."""
        self.assertEqual("Utrecht", self.city())
        write_mmdb(self.file, {"203.0.113.0/24": LYON})
        self.assertIn("was read again", self.renew())
        self.assertEqual(("Lyon", 1), (self.city(), self.threads.calls))

    def test_unusable(self) -> None:
        """One that cannot be used is logged in one line, and the old one stays."""
        self.file.rename(self.file.with_suffix(".old"))
        self.assertIn("tracking.places: ", self.renew())
        self.assertEqual("Utrecht", self.city())

    def test_none(self) -> None:
        """Without a file nothing is done or said."""
        self.places = Places()
        self.assertEqual("[]", self.renew())
        self.assertEqual(0, self.threads.calls)

    def test_at_the_end(self) -> None:
        """A service that stops leaves it."""
        self.threads.ended = True
        self.assertEqual("[]", self.renew())

    def test_fault(self) -> None:
        """A fault of ours is logged with its traceback."""
        self.patch(self.places, "reload", lambda: 1 / 0)
        self.renew()
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
