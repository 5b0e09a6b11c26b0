import smtplib

from twisted.trial.unittest import SynchronousTestCase

from tests.scenarios.daemon import Daemon
from tests.scenarios.mails import RECIPIENT, SENDER, mail, parsed
from tests.scenarios.postfix import Postfix
from tests.scenarios.programs import WAIT_SECONDS, wait_for


class SmarthostTests(SynchronousTestCase):
    """Postfix uses the service as its smart host."""

    def handed_over(self, *, implicit_tls: bool) -> None:
        with Daemon() as daemon:
            daemon.account()
            with Postfix(daemon, daemon.login(), implicit_tls=implicit_tls) as postfix:
                with smtplib.SMTP("127.0.0.1", postfix.port, timeout=WAIT_SECONDS) as client:
                    for number in range(20):
                        client.sendmail(SENDER, [RECIPIENT], mail(f"{number:02}"))
                wait_for("the mail", lambda: len(daemon.captured()) >= 20)
            captured = [parsed(content) for content in daemon.captured()]
        self.assertEqual(
            [f"{number:02}" for number in range(20)], sorted(each["Subject"] for each in captured)
        )
        for each in captured:
            self.assertEqual(2, len(each.get_all("Received", [])))

    def test_starttls(self) -> None:
        """It hands over all its mail through STARTTLS and a login, as the snippet says."""
        self.handed_over(implicit_tls=False)

    def test_implicit_tls(self) -> None:
        """The same on the port that speaks TLS from the first octet."""
        self.handed_over(implicit_tls=True)
