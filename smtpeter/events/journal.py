"""
The journal: files in which visits wait until they are events.

A visit is on disk a moment after it came, whether the database can be reached or not. Files
are appended to, read from their beginning, and removed at their end; a line that a crash has
cut off is passed over.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from smtpeter.values import frozen

FILE_OCTETS = 1024 * 1024
MAX_OCTETS = 256 * 1024 * 1024
BATCH_OCTETS = 64 * 1024
SUFFIX = ".visits"


@frozen
class Batch:
    """
    What a part of one file holds.

    Attributes:
        journal: the name of the file, without its suffix.
        begin: where the part begins, octets into the file.
        end: where it ends.
        lines: of visits, as `line_of` makes them; the last may be cut off.
    """

    journal: str
    begin: int
    end: int
    lines: Sequence[bytes]


class JournalFull(Exception):
    """So much waits that nothing more is taken."""


class Journal:
    """
    The files in one directory.

    Nothing here waits for anything but the disk; only one thread at a time may be in it.
    """

    def __init__(self, directory: Path, max_octets: int = MAX_OCTETS) -> None:
        self._directory = directory
        self._max_octets = max_octets
        self._sizes: dict[str, int] = {}  # oldest first
        self._appending: str | None = None

    def open(self) -> None:
        """Make the directory, or find what an earlier process has left in it."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        left = sorted(self._directory.glob(f"*{SUFFIX}"))
        self._sizes = {path.name.removesuffix(SUFFIX): path.stat().st_size for path in left}

    @property
    def octets(self) -> int:
        """How much there is, what is done but not yet removed included."""
        return sum(self._sizes.values())

    @property
    def oldest(self) -> str | None:
        """The file to read from; None when nothing waits."""
        return next(iter(self._sizes), None)

    def append(self, lines: Sequence[bytes]) -> None:
        """
        Write lines of visits, all or none of them; they are safe on disk at the return.

        Raises:
            JournalFull: there is no room for them.
            OSError: the disk does not take them.
        """
        octets = b"".join(lines)
        if self.octets + len(octets) > self._max_octets:
            raise JournalFull
        if self._appending is None or self._sizes[self._appending] >= FILE_OCTETS:
            # In the order of their names they are in the order of their making.
            self._appending = f"{time.time_ns():019d}-{secrets.token_hex(6)}"
            self._sizes[self._appending] = 0
        path, size = self._path(self._appending), self._sizes[self._appending]
        try:
            _write(path, size, octets)
        except OSError:
            self._appending = None  # it may end in the middle of a line
            raise
        self._sizes[path.name.removesuffix(SUFFIX)] += len(octets)

    def read(self, begin: int) -> Batch:
        """Read some lines of the oldest file, from the beginning of one of them."""
        name = self.oldest
        assert name is not None
        size = self._sizes[name]
        with self._path(name).open("rb") as file:
            file.seek(begin)
            octets = file.read(min(BATCH_OCTETS, size - begin))
            if not octets.endswith(b"\n"):
                octets += file.readline(size - begin - len(octets))
        return Batch(name, begin, begin + len(octets), octets.removesuffix(b"\n").split(b"\n"))

    def remove_finished(self, position: int) -> bool:
        """Remove the oldest file when it holds nothing from there on; False when it does."""
        name = self.oldest
        if name is None or position < self._sizes[name]:
            return False
        self._path(name).unlink(missing_ok=True)
        del self._sizes[name]
        if self._appending == name:
            self._appending = None
        return True

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}{SUFFIX}"


def _write(path: Path, position: int, octets: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        written = 0
        while written < len(octets):
            written += os.pwrite(descriptor, octets[written:], position + written)
        os.fdatasync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, position)
        raise
    finally:
        os.close(descriptor)
