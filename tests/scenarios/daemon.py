"""The real daemon, as a process of its own in a directory of its own."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from attrs import frozen

from tests.scenarios import forkserver
from tests.scenarios.forkserver import Program
from tests.scenarios.programs import ROOT, WAIT_SECONDS, free_ports, wait_for

ACCOUNT = "noor@shop.example"
DEFAULT_PORTS = (2525, 2465, 8443, 8080)
_CLI = "from smtpeter.cli import main; main()"


@frozen
class Login:
    """An SMTP login."""

    username: str
    password: str


class Daemon:
    """
    Starts at the beginning of a `with` block and is gone at its end.

    When the block fails, the daemon's log is printed.

    Args:
        settings: keys of the configuration with their full names, as in
            `{"delivery.mode": "mx"}`; they stand over the test's own.
        bare: without a configuration, on the default ports.
        from_shell: it and its commands load their modules themselves, instead of coming from a
            process that has loaded them.

    Attributes:
        directory: holds everything.
        certificate: what clients trust.
        starttls: a port for SMTP with STARTTLS; likewise `implicit_tls`, `https`, `http`.
    """

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        *,
        bare: bool = False,
        from_shell: bool = False,
    ) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="smtpeter-")
        self.directory = Path(self._temporary.name)
        self.state_dir = self.directory / ("smtpeter-state" if bare else "state")
        self.certificate = self.state_dir / "certificate.pem"
        ports = DEFAULT_PORTS if bare else free_ports(4)
        self.starttls, self.implicit_tls, self.https, self.http = ports
        self._file = self.directory / "smtpeter.toml"
        self._configuration = [] if bare else ["--config", str(self._file)]
        self._log = self.directory / "log"
        self._from_shell = from_shell
        self._process: subprocess.Popen[bytes] | Program | None = None
        if not bare:
            self.configure(settings or {})

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write the configuration anew."""
        everything = {
            "state_dir": "state",
            "smtp.starttls": [f"127.0.0.1:{self.starttls}"],
            "smtp.implicit_tls": [f"127.0.0.1:{self.implicit_tls}"],
            "http.https": [f"127.0.0.1:{self.https}"],
            "http.http": [f"127.0.0.1:{self.http}"],
            "accounts.bcrypt_cost": 4,
            **settings,
        }
        # for what is used here TOML and JSON are written alike
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in everything.items()]
        self._file.write_text("".join(lines), encoding="utf-8")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._temporary.cleanup()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        if error is not None:
            sys.stderr.write(f"\n--- the daemon's log ---\n{self.log()}---\n")
        self._temporary.cleanup()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        """
        Start, and wait until it greets.

        Raises:
            AssertionError: it ended, or did not greet; the text holds the log.
        """
        self.launch()
        try:
            wait_for("the greeting", self._greets)
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}\n{self.log()}") from None

    def launch(self) -> None:
        """Start, and wait for nothing."""
        arguments = ["twistd", "-n", "--pidfile=", "smtpeter", *self._configuration]
        with self._log.open("ab") as log:
            self._process = self._started(arguments, log, log)

    def wait(self) -> int:
        """The exit status, once it has ended."""
        assert self._process is not None
        return self._process.wait(WAIT_SECONDS)

    def terminate(self) -> int:
        """Ask it to end; returns its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it without giving it a chance."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(WAIT_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the operator's command on the same configuration."""
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            command = self._started(["smtpeter", *arguments, *self._configuration], output, errors)
            try:
                status = command.wait(WAIT_SECONDS)
            finally:
                command.kill()
            said = [_text(output), _text(errors)]
        return subprocess.CompletedProcess(arguments, status, *said)

    def asked(self, *arguments: str) -> Any:
        """
        What a command prints with `--json`.

        Raises:
            AssertionError: it failed.
        """
        done = self.command(*arguments, "--json")
        if done.returncode:
            raise AssertionError(f"{arguments}: {done.stderr}")
        return json.loads(done.stdout)

    def account(self, *options: str, email: str = ACCOUNT) -> str:
        """Make an account; returns its password."""
        return str(self.asked("account", "add", email, *options)["password"])

    def login(self, *features: str, email: str = ACCOUNT) -> Login:
        """Make a login, with features such as "inlinecss=on"."""
        options = [option for feature in features for option in ("--feature", feature)]
        made = self.asked("login", "add", email, *options)
        return Login(made["username"], made["password"])

    def token(self, email: str = ACCOUNT) -> str:
        return str(self.asked("token", "add", email)["token"])

    def trust(self) -> ssl.SSLContext:
        """A client's context that trusts this daemon and nobody else."""
        return ssl.create_default_context(cafile=self.certificate)

    def client(self, login: Login | None = None) -> smtplib.SMTP:
        """An SMTP client behind STARTTLS, logged in where a login is given."""
        client = smtplib.SMTP("localhost", self.starttls, timeout=WAIT_SECONDS)
        client.starttls(context=self.trust())
        if login is not None:
            client.login(login.username, login.password)
        return client

    def captured(self) -> list[bytes]:
        """What capture mode has "delivered" so far, oldest first."""
        mails = self.state_dir.rglob("new/*")
        return [mail.read_bytes() for mail in sorted(mails, key=lambda file: file.name)]

    def _greets(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the daemon ended with status {self._process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", self.starttls), 1.0) as connection:
                return connection.recv(4) == b"220 "
        except OSError:
            return False

    def _started(
        self, arguments: list[str], output: BinaryIO, errors: BinaryIO
    ) -> subprocess.Popen[bytes] | Program:
        if not self._from_shell:
            around = _environment()
            return forkserver.start(arguments, self.directory, around, output, errors)
        twistd = Path(sys.executable).with_name("twistd")
        command = [twistd] if arguments[0] == "twistd" else [sys.executable, "-c", _CLI]
        return subprocess.Popen(
            [*command, *arguments[1:]],
            cwd=self.directory,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "SMTPETER_CONFIG"}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode()
