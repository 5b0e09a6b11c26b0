"""A real Postfix of its own: hands everything over to the service, or takes what it sends."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.scenarios.daemon import Daemon, Login
from tests.scenarios.programs import ROOT, free_ports, require, require_root, run, wait_for
from tests.scenarios.receiver import Receiver

_MAIN = """
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
myhostname = desk.shop.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_host_lookup = native
minimal_backoff_time = 1s
queue_run_delay = 1s
biff = no
"""

_SERVICES = """
127.0.0.1:{port} inet n - n - - {smtpd}
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """
    Runs for the length of a `with` block.

    Attributes:
        port: where it takes mail.
    """

    def __init__(self) -> None:
        self._postfix = require("postfix")
        require_root()
        self._temporary = tempfile.TemporaryDirectory(prefix="postfix-")
        self._directory = Path(self._temporary.name)
        self._directory.chmod(0o755)  # its processes run as users of their own
        [self.port] = free_ports(1)

    def _configure(self, settings: str, *, smtpd: str = "smtpd") -> None:
        main = _MAIN.format(directory=self._directory)
        (self._directory / "main.cf").write_text(main + settings)
        services = _SERVICES.format(port=self.port, smtpd=smtpd)
        (self._directory / "master.cf").write_text(services)

    def log(self) -> str:
        file = self._directory / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def __enter__(self) -> Self:
        (self._directory / "queue").mkdir()
        run(self._postfix, "-c", self._directory, "start")
        wait_for("Postfix", lambda: "daemon started" in self.log())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()
        if error is not None:
            sys.stderr.write(f"\n--- Postfix's log ---\n{self.log()}---\n")
        self._temporary.cleanup()

    def _stop(self) -> None:
        """End it; `postfix stop` would look once a second whether it is gone."""
        master = self._directory / "queue" / "pid" / "master.pid"
        number = int(master.read_text()) if master.exists() else None
        run(self._postfix, "-c", self._directory, "abort", status=None)
        wait_for("the end", lambda: not number or not Path(f"/proc/{number}").exists())


class SubmittingPostfix(Postfix):
    """
    Configured as `etc/postfix-smarthost.cf` says.

    Args:
        implicit_tls: it hands over on the port that speaks TLS from the first octet.
    """

    def __init__(self, daemon: Daemon, login: Login, *, implicit_tls: bool = False) -> None:
        super().__init__()
        smarthost = f"[localhost]:{daemon.implicit_tls if implicit_tls else daemon.starttls}"
        passwords = self._directory / "sasl_passwd"
        passwords.write_text(f"{smarthost} {login.username}:{login.password}\n")
        passwords.chmod(0o600)
        self._configure("")
        run(require("postmap"), "-c", self._directory, f"hash:{passwords}")
        snippet = (ROOT / "etc" / "postfix-smarthost.cf").read_text(encoding="utf-8")
        if implicit_tls:
            snippet = snippet.replace("# smtp_tls_wrappermode", "smtp_tls_wrappermode")
        for of_the_snippet, ours in (
            ("[mail.example.com]:587", smarthost),
            ("/etc/postfix/sasl_passwd", str(passwords)),
            ("/etc/ssl/certs/ca-certificates.crt", str(daemon.certificate)),
        ):
            assert of_the_snippet in snippet
            snippet = snippet.replace(of_the_snippet, ours)
        self._configure(snippet)


class ReceivingPostfix(Postfix):
    """Passes on what it takes to another receiver, and logs each command that it hears."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__()
        self._configure(f"relayhost = [127.0.0.1]:{receiver.port}\n", smtpd="smtpd -v")
