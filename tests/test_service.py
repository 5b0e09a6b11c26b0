import gc
import io
import os
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from smtpeter import config, service
from smtpeter.config import Config, ConfigError
from smtpeter.delivery.queue import DeliveryQueue
from smtpeter.ports import PortService
from smtpeter.smtp.sessions import SmtpSessions
from smtpeter.store.store import Store

NO_PORTS = """
[smtp]
starttls = []
implicit_tls = []
[http]
https = []
http = []
public_url = "https://localhost"
"""


class ServiceCase(SynchronousTestCase):
    """A directory of its own, and a process that is as before in the end."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)

    def load(self, text: str = NO_PORTS) -> Config:
        """A configuration."""
        return config.load(str(self.write(text)))

    def write(self, text: str) -> Path:
        """The file of a configuration."""
        path = self.directory / "smtpeter.toml"
        path.write_text(f'state_dir = "{self.directory}/state"\n{text}')
        return path


def all_of(parent: Any) -> list[IService]:
    """A service with all that are in it, in order."""
    return [parent, *(each for child in getattr(parent, "services", ()) for each in all_of(child))]


class BuildTests(ServiceCase):
    """The parts together."""

    def test_order(self) -> None:
        """The store starts first and stops last; ports are the other way round."""
        root = service.build(self.load(), MemoryReactorClock())
        kinds = [type(each) for each in all_of(root)]
        self.assertLess(kinds.index(Store), kinds.index(DeliveryQueue))
        self.assertLess(kinds.index(Store), kinds.index(SmtpSessions))
        self.assertNotIn(PortService, kinds)

    def test_state_directory(self) -> None:
        """All that is kept is in the state directory, which nobody else can read."""
        service.build(self.load(), MemoryReactorClock())
        state = self.directory / "state"
        self.assertEqual(0o700, state.stat().st_mode & 0o777)
        self.assertTrue((state / "smtpeter.db").exists())

    def test_no_first_start_with_a_configuration(self) -> None:
        """An operator who has written a configuration makes accounts alone."""
        screen = io.StringIO()
        self.patch(sys, "stdout", screen)
        service.build(self.load(), MemoryReactorClock())
        self.assertEqual("", screen.getvalue())

    def test_one_at_a_time(self) -> None:
        """A second service does not share the state directory of the first."""
        first = service.build(self.load(), MemoryReactorClock())
        with self.assertRaises(ConfigError) as refused:
            service.build(self.load(), MemoryReactorClock())
        self.assertIn("is in use by another service", str(refused.exception))
        self.assertTrue(first)

    def test_doubts(self) -> None:
        """A setting that is hardly meant is logged."""
        with capturedLogs() as logged:
            service.build(
                self.load(f'{NO_PORTS}[delivery]\nmode = "mx"\nconnections = 500\n'),
                MemoryReactorClock(),
            )
        self.assertTrue(
            [each for each in logged if "delivery.connections" in each.get("doubt", "")]
        )


class RefusalTests(ServiceCase):
    """Starts that cannot be."""

    def refused(self, path: Path) -> str:
        """What stands on the screen of an operator."""
        screen = io.StringIO()
        self.patch(sys, "stderr", screen)
        options = service.Options()
        options.parseOptions(["--config", str(path)])
        with self.assertRaises(SystemExit) as ended:
            service.makeService(options)
        self.assertEqual(1, ended.exception.code)
        self.assertEqual(1, screen.getvalue().count("\n"), screen.getvalue())
        return screen.getvalue()

    def test_configuration(self) -> None:
        """A fault in the configuration is one line that names its key."""
        self.assertIn("smtp.colour", self.refused(self.write("[smtp]\ncolour = 1\n")))

    def test_database(self) -> None:
        """So is a database that cannot be opened."""
        (self.directory / "state").mkdir()
        (self.directory / "state" / "smtpeter.db").write_bytes(b"no database at all" * 100)
        self.assertIn("smtpeter.db", self.refused(self.write(NO_PORTS)))

    def test_places(self) -> None:
        """So is a file of places that is missing."""
        said = self.refused(self.write(f'{NO_PORTS}[tracking]\nplaces = "cities.mmdb"\n'))
        self.assertEqual("tracking.places: ", said[:17])
        self.assertIn("No such file", said)

    def test_state_directory(self) -> None:
        """So is a state directory that cannot be made."""
        (self.directory / "state").write_text("a file is in the way")
        with self.assertRaises(ConfigError) as refused:
            service.make_state_directory(self.load())
        self.assertIn("state_dir", str(refused.exception))

    def test_read_only(self) -> None:
        """And one that cannot be written to."""
        if os.geteuid() == 0:
            self.patch(os, "access", lambda *_: False)
        else:
            (self.directory / "state").mkdir(mode=0o500)
        with self.assertRaises(ConfigError) as refused:
            service.make_state_directory(self.load())
        self.assertIn("cannot be written to", str(refused.exception))
