import datetime as dt
import signal
import socket
import ssl
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.selfsigned import ensure_self_signed
from tests.scenarios.daemon import DEFAULT_PORTS, Daemon
from tests.scenarios.mails import RECIPIENT, SENDER, mail, subjects
from tests.scenarios.programs import missing, require, run, wait_for


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class FirstStartTests(SynchronousTestCase):
    """The first minutes with the service."""

    def bare(self, *, from_shell: bool = False) -> Daemon:
        if any(map(listens, (*DEFAULT_PORTS, 2587))):
            missing("another program listens on a default port")
        return Daemon(bare=True, from_shell=from_shell)

    def test_paste(self) -> None:
        """The two command lines that the first start shows send two mails."""
        require("curl")
        with self.bare(from_shell=True) as daemon:
            commands = [line for line in daemon.log().splitlines() if "curl " in line]
            self.assertEqual(2, len(commands), daemon.log())
            for command in commands:
                run("bash", "-c", f"set -o pipefail; {command.strip()} --fail --show-error")
            wait_for("both mails", lambda: len(daemon.captured()) >= 2)
            self.assertEqual(["By REST", "By SMTP"], subjects(daemon.captured()))

    def test_once(self) -> None:
        """What the first start shows, the second does not."""
        with self.bare() as daemon:
            self.assertIn("first start", daemon.log())
            daemon.terminate()
            shown = daemon.log()
            daemon.start()
            self.assertNotIn("first start", daemon.log().removeprefix(shown))

    def test_loopback(self) -> None:
        """Without a configuration nobody else can reach it."""
        with self.bare() as daemon:
            sockets = Path(f"/proc/{daemon.pid}/net/tcp").read_text().splitlines()[1:]
            listening = [line.split()[1].split(":") for line in sockets if " 0A " in line]
            ours = {address for address, port in listening if int(port, 16) in DEFAULT_PORTS}
            self.assertEqual({"0100007F"}, ours)


class RefusalTests(SynchronousTestCase):
    """Starts that cannot be."""

    def refusal(self, daemon: Daemon) -> list[str]:
        daemon.launch()
        self.assertEqual(1, daemon.wait())
        return daemon.log().splitlines()

    def test_port_taken(self) -> None:
        """A port that is taken is one line with its number and its key, and status 1."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            daemon = Daemon({"smtp.implicit_tls": [f"127.0.0.1:{port}"]})
            [line] = self.refusal(daemon)
        self.assertIn(f"port {port} ", line)
        self.assertIn("smtp.implicit_tls", line)

    def test_http_port_taken(self) -> None:
        """The same holds for HTTP."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            [line] = self.refusal(Daemon({"http.https": [f"127.0.0.1:{port}"]}))
        self.assertIn(f"port {port} ", line)
        self.assertIn("http.https", line)

    def test_faulty_configuration(self) -> None:
        """A fault in the configuration is one line with its key, and status 1."""
        [line] = self.refusal(Daemon({"smtp.max_recipient": 5}))
        self.assertIn("smtp.max_recipient: unknown key; did you mean smtp.max_recipients?", line)

    def test_no_certificate(self) -> None:
        """A certificate that is not there is one line with its key, and status 1."""
        [line] = self.refusal(Daemon({"tls.certificate": "c.pem", "tls.private_key": "k.pem"}))
        self.assertIn("tls.certificate: ", line)

    def test_state_directory(self) -> None:
        """A state directory that cannot be made is one line with its key, and status 1."""
        with tempfile.NamedTemporaryFile() as file:
            [line] = self.refusal(Daemon({"state_dir": f"{file.name}/state"}))
        self.assertIn("state_dir", line)

    def test_no_database(self) -> None:
        """A database that does not answer is one line, and status 1."""
        url = "postgresql://nobody@127.0.0.1:1/nothing"
        [line] = self.refusal(Daemon({"database.url": url}))
        self.assertIn("database", line)

    def test_check(self) -> None:
        """`smtpeter check` names every fault, and finds none where there is none."""
        faulty = Daemon({"smtp.max_recipient": 5, "delivery.mode": "direct"})
        checked = faulty.command("check")
        self.assertEqual(1, checked.returncode)
        self.assertIn("smtp.max_recipient", checked.stdout + checked.stderr)
        self.assertIn("delivery.mode", checked.stdout + checked.stderr)
        self.assertEqual(0, Daemon(from_shell=True).command("check").returncode)


class RenewalTests(SynchronousTestCase):
    """Certificates that are renewed while the service runs."""

    def presented(self, daemon: Daemon) -> str:
        return ssl.get_server_certificate(("127.0.0.1", daemon.implicit_tls), timeout=10)

    def test_renewed(self) -> None:
        """After a signal new sessions meet the new certificate, and open ones go on."""
        now = dt.datetime.now(dt.UTC)
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            certificate, private_key = ensure_self_signed(directory, "localhost", now)
            files = {"tls.certificate": str(certificate), "tls.private_key": str(private_key)}
            with Daemon(files, from_shell=True) as daemon:
                daemon.certificate = certificate
                daemon.account()
                with daemon.client(daemon.login()) as session:
                    before = self.presented(daemon)
                    certificate.unlink()
                    ensure_self_signed(directory, "localhost", now)
                    daemon.signal(signal.SIGHUP)
                    wait_for("the new certificate", lambda: self.presented(daemon) != before)
                    session.sendmail(SENDER, [RECIPIENT], mail())
                self.assertEqual(certificate.read_text(), self.presented(daemon))
