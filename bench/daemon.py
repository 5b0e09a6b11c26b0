"""This service, run from the checkout that the bench lies in."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from bench.certificate import Certificate
from bench.histogram import TurnData
from bench.load import Target
from bench.machine import APART, free_port, pinned
from bench.server import ServerFailed, await_greeting, last_lines

_CHECKOUT = Path(__file__).resolve().parent.parent
_LAUNCHER = str(_CHECKOUT / "bench" / "turns.py")
_COMMAND = "import sys; from smtpeter.cli import main; sys.exit(main())"
_ACCOUNT = "bench@example.org"
_HOSTNAME = "smtpeter.bench.example.org"
_START_SECONDS = 60.0
_STOP_SECONDS = 40.0  # deliveries in progress get up to 20
_COMMAND_SECONDS = 60.0
_TURNS_SECONDS = 5.0
_LOOK_SECONDS = 0.005

_CONFIGURATION = """\
hostname = "{hostname}"
state_dir = "{base}/state"

[tls]
certificate = "{certificate}"
private_key = "{key}"

[smtp]
starttls = ["127.0.0.1:{port}", {bounces}]
implicit_tls = []
accept_local = [{bounces}]

[http]
https = ["127.0.0.1:{https_port}"]
http = [{http}]

[delivery]
{delivery}
"""
_TO_SINK = """\
mode = "smarthost"
smarthost = "127.0.0.1:{sink_port}"
tls = "none"
connections = 20
"""


class Daemon:
    """
    Implements server.Server.

    Args:
        base: an empty directory for all it needs.
        certificate: what it presents.
        sink_port: where the smart host listens on 127.0.0.1.
        profile_file: run the reactor's thread under cProfile, and write the result here.
        workers_profile_file: the same for its worker processes; each adds its PID to the name.
        http_port: where it serves HTTP on 127.0.0.1; None: nowhere.
        features: that are on for all mail.
        cores: where it runs.
        bounces_port: where strangers may bring bounces; None: nowhere.
        delivery: this part of its configuration; None: all to the sink.

    Attributes:
        tracking_base: what the links that it makes begin with.
        database_url: of its database.
    """

    name = "smtpeter"

    def __init__(
        self,
        base: Path,
        certificate: Certificate,
        sink_port: int,
        profile_file: Path | None = None,
        workers_profile_file: Path | None = None,
        *,
        http_port: int | None = None,
        features: Sequence[str] = (),
        cores: Collection[int] = APART.servers,
        bounces_port: int | None = None,
        delivery: str | None = None,
    ) -> None:
        self._cores = cores
        self.database_url = f"sqlite:///{base}/state/smtpeter.db"
        self._base = base
        self._configuration = base / "smtpeter.toml"
        self._log_file = base / "log"
        self._turns_file = base / "turns.json"
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(_CHECKOUT),
            "SMTPETER_CONFIG": str(self._configuration),
            "SMTPETER_BENCH_TURNS": str(self._turns_file),
        }
        if profile_file is not None:
            self._environment["SMTPETER_BENCH_PROFILE"] = str(profile_file.resolve())
        if workers_profile_file is not None:
            workers_profile = str(workers_profile_file.resolve())
            self._environment["SMTPETER_BENCH_WORKERS_PROFILE"] = workers_profile
        self._process: subprocess.Popen[bytes] | None = None
        port, https_port = free_port(), free_port()
        self.tracking_base = f"https://{_HOSTNAME}:{https_port}"
        base.mkdir(parents=True)
        self._configuration.write_text(
            _CONFIGURATION.format(
                hostname=_HOSTNAME,
                base=base,
                certificate=certificate.certificate_file,
                key=certificate.key_file,
                port=port,
                bounces="" if bounces_port is None else f'"127.0.0.1:{bounces_port}"',
                https_port=https_port,
                http="" if http_port is None else f'"127.0.0.1:{http_port}"',
                delivery=delivery or _TO_SINK.format(sink_port=sink_port),
            ),
            "utf-8",
        )
        self._port = port
        self.target = self.open_account(_ACCOUNT, features)

    def version(self) -> str:
        commit = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=_CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
        return f"smtpeter {commit or '(no git)'}"

    def start(self) -> None:
        configuration = str(self._configuration)
        self._turns_file.unlink(missing_ok=True)  # of a former process, which counted anew
        with pinned(*self._cores), self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    _LAUNCHER,
                    "-n",
                    "--pidfile=",
                    "smtpeter",
                    "--config",
                    configuration,
                ],
                cwd=self._base,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is for us, and we stop it
            )
        if not await_greeting(self.target.port, _START_SECONDS, self._lives):
            raise ServerFailed(f"smtpeter does not greet:\n{last_lines(self._log_file)}")

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def root_pid(self) -> int:
        if self._process is None or self._process.poll() is not None:
            raise ServerFailed(f"smtpeter has ended:\n{last_lines(self._log_file)}")
        return self._process.pid

    def last_words(self) -> str:
        return last_lines(self._log_file)

    def turns(self) -> TurnData:
        """Ask the launcher for its histograms, and wait until they are written."""
        before = self._read_turns()
        os.kill(self.root_pid(), signal.SIGUSR1)
        deadline = time.monotonic() + _TURNS_SECONDS
        while time.monotonic() < deadline:
            data = self._read_turns()
            if data is not None and (before is None or data["sequence"] > before["sequence"]):
                return data
            time.sleep(_LOOK_SECONDS)
        raise ServerFailed("the launcher does not say how long its reactor's turns took")

    def queue_depth(self) -> int:
        """How many messages wait, for all receivers together."""
        receivers = json.loads(self.command("queue", "--json"))
        return sum(receiver["depth"] for receiver in receivers)

    def open_account(self, email: str, features: Sequence[str] = ()) -> Target:
        """
        A new account, and a login of it.

        Args:
            features: that are on for its mail.
        """
        self.command("account", "add", email, "--json")
        options = [f"--feature={feature}=on" for feature in features]
        login = json.loads(self.command("login", "add", email, *options, "--json"))
        return Target(self._port, login["username"], login["password"])

    def command(self, *arguments: str) -> str:
        """
        The standard output of the operator's tool.

        Raises:
            ServerFailed: it ended with another status than 0.
        """
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, *arguments],
            cwd=self._base,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise ServerFailed(f"smtpeter {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def _read_turns(self) -> TurnData | None:
        try:
            data: TurnData = json.loads(self._turns_file.read_text("ascii"))
        except FileNotFoundError:
            return None
        return data

    def _lives(self) -> bool:
        return self._process is not None and self._process.poll() is None
