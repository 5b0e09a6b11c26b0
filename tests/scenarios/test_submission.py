import smtplib
import ssl
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.scenarios.daemon import Daemon, Login
from tests.scenarios.mails import RECIPIENT, SENDER, mail, subjects
from tests.scenarios.programs import WAIT_SECONDS, require, run, wait_for


def arrived(daemon: Daemon, count: int) -> list[str]:
    """The subjects of what was captured, once there is enough of it."""
    wait_for(f"{count} captured messages", lambda: len(daemon.captured()) >= count)
    return subjects(daemon.captured())


class SwaksTests(SynchronousTestCase):
    """swaks hands in mail."""

    def swaks(self, daemon: Daemon, login: Login, port: int, *options: str) -> None:
        run(
            *(require("swaks"), "--server", "localhost", "--port", str(port), *options),
            *("--tls-verify", "--tls-ca-path", str(daemon.certificate)),
            *("--auth-user", login.username, "--auth-password", login.password),
            *("--from", SENDER, "--to", RECIPIENT, "--header", f"Subject: {options[0]}"),
        )

    def test_every_way_in(self) -> None:
        """STARTTLS and implicit TLS, PLAIN and LOGIN all lead in."""
        require("swaks")
        with Daemon() as daemon:
            daemon.account()
            login = daemon.login()
            self.swaks(daemon, login, daemon.starttls, "--tls", "--auth", "PLAIN")
            self.swaks(daemon, login, daemon.starttls, "--tls", "--auth", "LOGIN")
            self.swaks(daemon, login, daemon.implicit_tls, "--tls-on-connect", "--auth", "PLAIN")
            self.assertEqual(["--tls", "--tls", "--tls-on-connect"], arrived(daemon, 3))

    def test_wrong_password(self) -> None:
        """A password without its blanks is another password."""
        require("swaks")
        with Daemon() as daemon:
            daemon.account()
            login = daemon.login()
            wrong = Login(login.username, login.password.replace(" ", ""))
            error = self.assertRaises(
                AssertionError,
                self.swaks,
                daemon,
                wrong,
                daemon.starttls,
                *("--tls", "--auth", "PLAIN"),
            )
            self.assertIn("535", str(error))


class CurlTests(SynchronousTestCase):
    """curl hands in mail."""

    def curl(self, daemon: Daemon, login: Login, url: str, subject: str) -> None:
        run(
            *(require("curl"), "--silent", "--show-error", "--ssl-reqd", "--url", url),
            *("--cacert", daemon.certificate, "--user", f"{login.username}:{login.password}"),
            *("--mail-from", SENDER, "--mail-rcpt", RECIPIENT, "--upload-file", "-"),
            stdin=mail(subject),
        )

    def test_every_way_in(self) -> None:
        """STARTTLS and implicit TLS both lead in."""
        require("curl")
        with Daemon() as daemon:
            daemon.account()
            login = daemon.login()
            self.curl(daemon, login, f"smtp://localhost:{daemon.starttls}", "one")
            self.curl(daemon, login, f"smtps://localhost:{daemon.implicit_tls}", "two")
            self.assertEqual(["one", "two"], arrived(daemon, 2))


class MsmtpTests(SynchronousTestCase):
    """msmtp, which checks certificates with GnuTLS, hands in mail."""

    def msmtp(self, daemon: Daemon, login: Login, port: int, subject: str, *more: str) -> None:
        file = Path(daemon.directory) / "msmtprc"
        file.touch(mode=0o600)
        settings = (
            *("defaults", "account default", "host localhost", f"port {port}", "tls on"),
            *(f"tls_trust_file {daemon.certificate}", "auth on", f"user {login.username}"),
            *(f'password "{login.password}"', f"from {SENDER}", *more),
        )
        file.write_text("\n".join(settings) + "\n")
        run(require("msmtp"), f"--file={file}", "--", RECIPIENT, stdin=mail(subject))

    def test_every_way_in(self) -> None:
        """STARTTLS and implicit TLS both lead in."""
        require("msmtp")
        with Daemon() as daemon:
            daemon.account()
            login = daemon.login()
            self.msmtp(daemon, login, daemon.starttls, "one", "tls_starttls on")
            self.msmtp(daemon, login, daemon.implicit_tls, "two", "tls_starttls off")
            self.assertEqual(["one", "two"], arrived(daemon, 2))


class SmtplibTests(SynchronousTestCase):
    """Python's own client meets the rules of the door."""

    def test_many(self) -> None:
        """One session hands in many messages, each for many recipients."""
        with Daemon() as daemon:
            daemon.account()
            recipients = [f"{number}@mailbox.example" for number in range(5)]
            with daemon.client(daemon.login()) as client:
                for number in range(10):
                    refused = client.sendmail(SENDER, recipients, mail(f"{number}"))
                    self.assertEqual({}, refused)
            expected = sorted(f"{number}" for number in range(10) for _ in recipients)
            self.assertEqual(expected, arrived(daemon, 50))

    def test_account_password(self) -> None:
        """An account's own address and password open the door as well."""
        with Daemon() as daemon:
            account = Login(SENDER, daemon.account())
            with daemon.client(account) as client:
                client.sendmail(SENDER, [RECIPIENT], mail("own"))
            self.assertEqual(["own"], arrived(daemon, 1))

    def test_in_clear(self) -> None:
        """Without encryption there is neither a login nor mail."""
        with Daemon() as daemon:
            daemon.account()
            login = daemon.login()
            with smtplib.SMTP("localhost", daemon.starttls, timeout=WAIT_SECONDS) as client:
                client.ehlo()
                self.assertFalse(client.has_extn("auth"))
                self.assertRaises(
                    smtplib.SMTPNotSupportedError, client.login, login.username, login.password
                )
                self.assertGreaterEqual(client.mail(SENDER)[0], 500)

    def test_without_login(self) -> None:
        """Without a login there is no mail."""
        with Daemon() as daemon, daemon.client() as client:
            self.assertRaises(
                smtplib.SMTPSenderRefused, client.sendmail, SENDER, [RECIPIENT], mail()
            )

    def test_revoked(self) -> None:
        """A login that is revoked while the service runs opens nothing any more."""
        with Daemon() as daemon:
            daemon.account()
            login = daemon.login()
            self.assertEqual(0, daemon.command("login", "revoke", login.username).returncode)
            self.assertRaises(smtplib.SMTPAuthenticationError, daemon.client, login)

    def test_strangers_certificate(self) -> None:
        """A client that does not trust the certificate finds out."""
        with Daemon() as daemon:
            client = smtplib.SMTP("localhost", daemon.starttls, timeout=WAIT_SECONDS)
            self.addCleanup(client.close)
            self.assertRaises(
                ssl.SSLCertVerificationError,
                client.starttls,
                context=ssl.create_default_context(),
            )
