import json
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.scenarios.daemon import Daemon
from tests.scenarios.mails import RECIPIENT, SENDER
from tests.scenarios.programs import missing, require, require_root, run, wait_for
from tests.scenarios.test_rest import curl

DISK = "16m"
LARGE = f"From: {SENDER}\r\nSubject: large\r\n\r\n".encode() + (b"x" * 70 + b"\r\n") * 30_000


@contextmanager
def small_disk(at: Path) -> Iterator[None]:
    """A disk of its own, soon full."""
    require_root()
    at.mkdir()
    mounted = run(require("mount"), "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", at, status=None)
    if mounted.returncode:
        missing("no file system can be mounted here")
    try:
        yield
    finally:
        run(require("umount"), "--lazy", at)


def fill(file: Path) -> None:
    """Leave no room on a disk."""
    with file.open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(65536))
        except OSError:
            return


class FullDiskTests(SynchronousTestCase):
    """The disk is full, and has room again."""

    def test_refused_and_taken(self) -> None:
        """New mail is refused for now with 452 and 507; with room again it is taken."""
        disk = Path(self.mktemp()).absolute()
        daemon = Daemon({"database.min_free": "0B", "state_dir": str(disk)})
        daemon.state_dir = disk
        daemon.certificate = disk / "certificate.pem"
        ballast = disk / "ballast"
        with small_disk(disk), daemon:
            daemon.account()
            client = daemon.client(daemon.login())
            token = daemon.token()
            fill(ballast)
            with self.assertRaises(smtplib.SMTPDataError) as refused:
                client.sendmail(SENDER, [RECIPIENT], LARGE)
            self.assertEqual(452, refused.exception.smtp_code, refused.exception.smtp_error)
            status, answer = self.send(daemon, token)
            self.assertEqual(507, status, answer)
            ballast.unlink()
            wait_for("room", lambda: self.send(daemon, token)[0] == 200)
            client.sendmail(SENDER, [RECIPIENT], LARGE)
            wait_for("both messages", lambda: len(daemon.captured()) == 2)
            client.quit()
            daemon.kill()

    def send(self, daemon: Daemon, token: str) -> tuple[int, object]:
        document = {"recipient": RECIPIENT, "mime": LARGE.decode()}
        return curl(
            daemon,
            f"https://localhost:{daemon.https}/v1/send?access_token={token}",
            *("--json", "@-"),
            stdin=json.dumps(document).encode(),
        )


class BrokenDatabaseTests(SynchronousTestCase):
    """The file of the database is no database."""

    def test_one_line(self) -> None:
        """The start ends with one line that names the file, and status 1."""
        daemon = Daemon()
        self.addCleanup(daemon._temporary.cleanup)
        self.addCleanup(daemon.kill)
        daemon.state_dir.mkdir()
        (daemon.state_dir / "smtpeter.db").write_bytes(b"this is no database\n" * 1000)
        daemon.launch()
        self.assertEqual(1, daemon.wait())
        lines = daemon.log().splitlines()
        self.assertEqual(1, len(lines), daemon.log())
        self.assertIn("smtpeter.db", lines[0])
