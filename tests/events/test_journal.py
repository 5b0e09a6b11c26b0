from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.events.journal import BATCH_OCTETS, FILE_OCTETS, Journal, JournalFull
from smtpeter.events.visit import line_of
from tests.events.house import OpenSeal, visit


def line(link: int = 0, **changed: Any) -> bytes:
    """A visit, as a journal has it."""
    return line_of([visit(link, **changed)], OpenSeal())


class JournalTests(SynchronousTestCase):
    """Real files, in a directory of the test."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name) / "visits"
        self.journal = self.open()

    def open(self) -> Journal:
        """A journal as a new process finds it."""
        journal = Journal(self.directory)
        journal.open()
        return journal

    def files(self) -> list[Path]:
        return sorted(self.directory.iterdir())

    def take_all(self, journal: Journal) -> list[bytes]:
        """Read everything, file by file, and remove it."""
        lines: list[bytes] = []
        while journal.oldest is not None:
            position = 0
            while not journal.remove_finished(position):
                batch = journal.read(position)
                self.assertEqual(position, batch.begin)
                self.assertGreater(batch.end, position)
                lines += [each + b"\n" for each in batch.lines]
                position = batch.end
        return lines

    def test_read_back(self) -> None:
        """What is written is read, in its order, and its file is removed at the end."""
        lines = [line(number) for number in range(5)]
        self.journal.append(lines[:2])
        self.journal.append(lines[2:])
        self.assertEqual(1, len(self.files()))
        self.assertEqual(lines, self.take_all(self.journal))
        self.assertEqual(([], 0), (self.files(), self.journal.octets))

    def test_private(self) -> None:
        """Nobody else may read who has read what."""
        self.journal.append([line()])
        (file,) = self.files()
        self.assertEqual(0o600, file.stat().st_mode & 0o777)
        self.assertEqual(0o700, self.directory.stat().st_mode & 0o777)

    def test_next_process(self) -> None:
        """What one process has left the next one finds, and writes to files of its own."""
        self.journal.append([line(1)])
        later = self.open()
        later.append([line(2)])
        self.assertEqual(2, len(self.files()))
        self.assertEqual([line(1), line(2)], self.take_all(later))

    def test_torn(self) -> None:
        """A file that a crash has cut off is read to its end, wherever it was cut."""
        octets = line(1) + line(2)
        for length in range(1, len(octets), 7):
            path = self.directory / "0000000000000000001-aaaaaaaaaaaa.visits"
            path.write_bytes(octets[:length])
            journal = self.open()
            batch = journal.read(0)
            self.assertEqual(length, batch.end)
            self.assertEqual(octets[:length].removesuffix(b"\n"), b"\n".join(batch.lines))
            self.assertTrue(journal.remove_finished(batch.end))

    def test_empty_file(self) -> None:
        """A file in which nothing was written yet is removed."""
        (self.directory / "0000000000000000001-aaaaaaaaaaaa.visits").touch()
        journal = self.open()
        self.assertTrue(journal.remove_finished(0))
        self.assertEqual([], self.files())

    def test_batches(self) -> None:
        """Much is read in batches of whole lines."""
        lines = [line(number) for number in range(1500)]
        self.journal.append(lines)
        first = self.journal.read(0)
        self.assertTrue(BATCH_OCTETS <= first.end < BATCH_OCTETS + 2 * len(line()))
        self.assertEqual(
            b"".join(lines)[: first.end], b"".join(each + b"\n" for each in first.lines)
        )
        self.assertEqual(lines, self.take_all(self.journal))

    def test_files(self) -> None:
        """A file that has grown large is followed by another; both are read in their order."""
        large = [line(number, headers="x" * 10_000) for number in range(2 * FILE_OCTETS // 10_000)]
        half = len(large) // 2 + 10
        self.journal.append(large[:half])
        self.journal.append(large[half:])
        self.assertEqual(2, len(self.files()))
        self.assertEqual(large, self.take_all(self.journal))

    def test_goes_on_in_a_new_file(self) -> None:
        """After a file is removed the next visits go to another."""
        self.journal.append([line(1)])
        before = self.files()
        self.take_all(self.journal)
        self.journal.append([line(2)])
        self.assertNotEqual(before, self.files())
        self.assertEqual([line(2)], self.take_all(self.journal))

    def test_nothing_there(self) -> None:
        """An empty journal has nothing to remove."""
        self.assertIsNone(self.journal.oldest)
        self.assertFalse(self.journal.remove_finished(0))

    def test_full(self) -> None:
        """Beyond its limit a journal takes nothing, and what it has stays."""
        journal = Journal(self.directory, max_octets=1000)
        journal.append([line(1)])
        with self.assertRaises(JournalFull):
            journal.append([line(number) for number in range(5)])
        self.assertEqual([line(1)], self.take_all(journal))

    def test_disk_full(self) -> None:
        """What could not be written as a whole is not there, and can be written again."""
        self.journal.append([line(1)])
        whole = os.pwrite

        def half(descriptor: int, octets: bytes, position: int) -> int:
            if position == len(line(1)):
                return whole(descriptor, octets[:50], position)
            raise OSError(errno.ENOSPC, "No space left on device")

        patch: Any = self.patch(os, "pwrite", half)
        with self.assertRaises(OSError):
            self.journal.append([line(2)])
        patch.restore()
        self.journal.append([line(2)])
        self.assertEqual([line(1), line(2)], self.take_all(self.journal))
        self.assertEqual([], self.files())
