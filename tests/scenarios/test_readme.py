import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.documentation import PASSWORD, ROOT, USERNAME, Block, blocks
from tests.scenarios.daemon import Daemon, Login
from tests.scenarios.mails import subjects
from tests.scenarios.programs import require, run, wait_for

SMTP = ROOT / "docs" / "smtp.rst"
REST = ROOT / "docs" / "rest.rst"
PROGRAMS = ("curl", "swaks")


def adapted(daemon: Daemon, text: str) -> str:
    """An example, with the ports and the directory of a test."""
    for shown, ours in (
        ("localhost:2525", f"localhost:{daemon.starttls}"),
        ('"localhost", 2525', f'"localhost", {daemon.starttls}'),
        ("--port 2525", f"--port {daemon.starttls}"),
        ("port 2525", f"port {daemon.starttls}"),
        ("localhost:2465", f"localhost:{daemon.implicit_tls}"),
        ("localhost:8443", f"localhost:{daemon.https}"),
        ("smtpeter-state/certificate.pem", str(daemon.certificate)),
    ):
        text = text.replace(shown, ours)
    return text


def examples(page: Path) -> list[Block]:
    """The examples for a shell that send something."""
    found = [block for block in blocks(page, "bash") if not block.text.startswith("export ")]
    assert found
    return found


def environment(daemon: Daemon, login: Login, token: str) -> list[str]:
    """A command that gives another the environment that the pages speak of."""
    return [
        "env",
        f"SMTP_USER={login.username}",
        f"SMTP_PASSWORD={login.password}",
        f"TOKEN={token}",
        f"CERTIFICATE={daemon.certificate}",
    ]


class ExampleTests(SynchronousTestCase):
    """What the pages tell newcomers to paste."""

    def assert_sends(self, page: Path, expected: list[str]) -> None:
        for program in PROGRAMS:
            if any(program in block.text for block in examples(page)):
                require(program)
        with Daemon() as daemon:
            daemon.account()
            around = environment(daemon, daemon.login(), daemon.token())
            for block in examples(page):
                run(*around, "bash", "-euo", "pipefail", "-c", adapted(daemon, block.text))
            wait_for("the mail", lambda: len(daemon.captured()) >= len(expected))
            found = subjects(daemon.captured())
            self.assertEqual(len(expected), len(found), found)
            for start, subject in zip(expected, found, strict=True):
                self.assertTrue(subject.startswith(start), found)  # swaks adds the date

    def test_smtp(self) -> None:
        """Every example for a shell on the page on SMTP ends in the Maildir."""
        self.assert_sends(SMTP, ["By curl", "By curl", "test"])

    def test_rest(self) -> None:
        """Every example on the page on REST ends in the Maildir."""
        self.assert_sends(REST, ["Ready-made", "Your order"])

    def test_python(self) -> None:
        """The example in Python ends in the Maildir."""
        [block] = blocks(SMTP, "python")
        with Daemon() as daemon:
            daemon.account()
            around = environment(daemon, daemon.login(), "")
            run(*around, sys.executable, "-c", adapted(daemon, block.text))
            wait_for("the mail", daemon.captured)
            self.assertEqual(["By smtplib"], subjects(daemon.captured()))

    def test_msmtp(self) -> None:
        """The configuration for msmtp leads to the Maildir."""
        msmtp = require("msmtp")
        [block] = [each for each in blocks(SMTP, "text") if "account default" in each.text]
        with Daemon() as daemon:
            daemon.account()
            login = daemon.login()
            file = daemon.directory / "msmtprc"
            file.touch(mode=0o600)
            text = adapted(daemon, block.text)
            text = text.replace(USERNAME, login.username).replace(PASSWORD, login.password)
            file.write_text(text, encoding="utf-8")
            run(msmtp, f"--file={file}", "kees@example.org", stdin="Subject: By msmtp\n\nHello.\n")
            wait_for("the mail", daemon.captured)
            self.assertEqual(["By msmtp"], subjects(daemon.captured()))
