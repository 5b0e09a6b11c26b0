"""The lock on a state directory: one service at a time, and everybody can see whether it runs."""

from __future__ import annotations

import fcntl
from pathlib import Path

from twisted.application.service import Service

from smtpeter.config import ConfigError

LOCK_FILE = "lock"


class StateLock(Service):
    """
    Holds the lock from when it is made until the service has stopped, or its process is gone.

    Args:
        directory: exists already.

    Raises:
        ConfigError: another service holds it, or there can be no lock.
    """

    def __init__(self, directory: Path) -> None:
        try:
            self._file = (directory / LOCK_FILE).open("a")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise ConfigError(f"state_dir: {directory} is in use by another service") from error
        except OSError as error:
            raise ConfigError(f"state_dir: no lock in {directory}: {error.strerror}") from error

    def stopService(self) -> None:
        Service.stopService(self)
        self._file.close()


def is_running(directory: Path) -> bool:
    """True when a service holds the lock of a state directory."""
    try:
        with (directory / LOCK_FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # nobody was ever here, or we may not look
        return False
    return False
