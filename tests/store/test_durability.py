import subprocess
import sys
from itertools import islice

from sqlalchemy import select

from smtpeter.store.messages import load_content
from smtpeter.store.tables import messages, submissions
from tests.scenarios.programs import ROOT
from tests.store.cases import CONTENT, WAIT_SECONDS, DatabaseCase, OnPostgresql

SECOND = 1_000_000


class DurabilityTests(DatabaseCase):
    """What was acknowledged is there, whatever became of the process that wrote it."""

    def submitter(self, first_key: int = 0) -> subprocess.Popen[str]:
        """Start a process that submits without end."""
        command = [sys.executable, "-m", "tests.store.submitter", self.url, str(first_key)]
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(process.__exit__, None, None, None)
        self.addCleanup(process.kill)
        return process

    def acknowledged(self, process: subprocess.Popen[str], count: int) -> list[int]:
        assert process.stdout is not None
        return [int(line) for line in islice(process.stdout, count)]

    def rest(self, process: subprocess.Popen[str]) -> list[int]:
        """What it said between the last line that was read and its end."""
        assert process.stdout is not None
        lines = process.stdout.read().splitlines(keepends=True)
        process.wait(WAIT_SECONDS)
        return [int(line) for line in lines if line.endswith("\n")]

    def stored(self) -> set[int]:
        """The keys of submissions that are there with their message."""
        again = self.open(self.url)
        query = select(submissions.c.key).join(messages, messages.c.submission == submissions.c.key)
        with again.connect() as connection:
            return set(connection.execute(query).scalars())

    def test_killed(self) -> None:
        """Killed at any moment, a process has lost nothing of what it acknowledged."""
        for first_key in (0, SECOND):
            process = self.submitter(first_key)
            known = self.acknowledged(process, 300)
            process.kill()
            known += self.rest(process)
            self.assertGreaterEqual(len(known), 300)
            self.assertEqual(set(), set(known) - self.stored())
        with self.database.connect() as connection:
            self.assertEqual(bytes(CONTENT), bytes(load_content(connection, known[-1]) or b""))

    def test_two_writers(self) -> None:
        """Two processes that write at once wait for each other, and both lose nothing."""
        processes = [self.submitter(first_key) for first_key in (0, SECOND)]
        known = [key for process in processes for key in self.acknowledged(process, 300)]
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in processes:
            known += self.rest(process)
            self.assertEqual(0, process.returncode)
        self.assertEqual(set(known), self.stored())
        self.assertEqual(len(known), len(set(known)))


class DurabilityOnPostgresqlTests(OnPostgresql, DurabilityTests):
    """The same on PostgreSQL."""
