import smtplib

from twisted.trial.unittest import SynchronousTestCase

from tests.scenarios.daemon import Daemon
from tests.scenarios.mails import RECIPIENT, SENDER, mail, parsed, smarthost
from tests.scenarios.postfix import ReceivingPostfix, SubmittingPostfix
from tests.scenarios.programs import WAIT_SECONDS, wait_for
from tests.scenarios.receiver import Receiver


class SmarthostTests(SynchronousTestCase):
    """Postfix uses the service as its smart host."""

    def handed_over(self, *, implicit_tls: bool) -> None:
        with Daemon() as daemon:
            daemon.account()
            with SubmittingPostfix(daemon, daemon.login(), implicit_tls=implicit_tls) as postfix:
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


class ReceivingTests(SynchronousTestCase):
    """Postfix receives what the service sends."""

    def test_chunks(self) -> None:
        """What leaves as one chunk arrives octet for octet, dots and all."""
        sent = mail(body="dots\r\n.\r\n..\r\n...\r\n\r\nend\r\n")
        with (
            Receiver() as receiver,
            ReceivingPostfix(receiver) as postfix,
            Daemon(smarthost(postfix)) as daemon,
        ):
            daemon.account()
            with daemon.client(daemon.login()) as client:
                client.sendmail(SENDER, [RECIPIENT], sent)
            [message] = receiver.wait_for(1)
            self.assertRegex(postfix.log(), r"<.*: BDAT \d+ LAST")
        self.assertTrue(message.content.endswith(sent), message.content[:2000])
