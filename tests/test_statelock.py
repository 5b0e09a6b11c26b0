from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.config import ConfigError
from smtpeter.statelock import LOCK_FILE, StateLock, is_running


class StateLockTests(SynchronousTestCase):
    """One service to a state directory."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def held(self) -> StateLock:
        lock = StateLock(self.directory)
        lock.startService()
        self.addCleanup(lock.stopService)
        return lock

    def test_second_service(self) -> None:
        """A second service does not start, and is told why."""
        self.held()
        error = self.assertRaises(ConfigError, StateLock, self.directory)
        self.assertEqual(f"state_dir: {self.directory} is in use by another service", str(error))

    def test_after_the_stop(self) -> None:
        """After the stop the next may start; the file that is left means nothing."""
        self.held().stopService()
        self.assertFalse(is_running(self.directory))
        self.held()

    def test_seen(self) -> None:
        """Whether a service runs is seen without getting in its way."""
        self.assertFalse(is_running(self.directory))
        self.assertEqual([], list(self.directory.iterdir()))
        self.held()
        self.assertTrue(is_running(self.directory))
        self.assertTrue(is_running(self.directory))

    def test_no_lock(self) -> None:
        """Where no lock can be, the start ends with the reason."""
        (self.directory / LOCK_FILE).mkdir()
        error = self.assertRaises(ConfigError, StateLock, self.directory)
        self.assertIn("Is a directory", str(error))
