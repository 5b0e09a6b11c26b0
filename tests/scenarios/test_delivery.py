import re
import ssl

from twisted.trial.unittest import SynchronousTestCase

from tests.scenarios.daemon import Daemon
from tests.scenarios.mails import RECIPIENT, SENDER, mail, parsed, smarthost, subjects
from tests.scenarios.programs import wait_for
from tests.scenarios.receiver import Behaviour, Receiver


def submit(daemon: Daemon, *mails: bytes, recipients: tuple[str, ...] = (RECIPIENT,)) -> None:
    """Hand in mail with a login whose features are off."""
    with daemon.client(daemon.login()) as client:
        for each in mails:
            client.sendmail(SENDER, recipients, each)


class OctetsTests(SynchronousTestCase):
    """What comes out is what went in."""

    def test_octet_for_octet(self) -> None:
        """With every feature off, a message gets three fields and is else as it came."""
        body = "dots\r\n.\r\n..\r\n...\r\n" + "x" * 2000 + "\r\n\tgr\u00fc\u00dfe\r\n\r\n \r\n"
        sent = mail(body=body)
        with Receiver() as receiver, Daemon(smarthost(receiver)) as daemon:
            daemon.account()
            submit(daemon, sent)
            [message] = receiver.wait_for(1)
        self.assertEqual(SENDER, message.sender)
        self.assertEqual([RECIPIENT], list(message.recipients))
        self.assertTrue(message.content.endswith(sent), message.content[:2000])
        added = message.content.removesuffix(sent)
        fields = (
            rb"\AReceived: from (?:.|\r\n[ \t])*\r\nX-Message-ID: \w{16}\r\nFeedback-ID: .*\r\n\Z"
        )
        self.assertRegex(added, re.compile(fields))

    def test_instructions(self) -> None:
        """Instruction fields never leave."""
        sent = mail().replace(b"\r\nDate:", b"\r\nX-SMTPeter-Tags: news\r\nDate:")
        with Receiver() as receiver, Daemon(smarthost(receiver)) as daemon:
            daemon.account()
            submit(daemon, sent)
            [message] = receiver.wait_for(1)
        self.assertNotIn(b"smtpeter-tags", message.content.lower())
        self.assertTrue(message.content.endswith(mail()))

    def test_large(self) -> None:
        """A message of twenty megabytes comes out as it went in."""
        sent = mail(body=("y" * 76 + "\r\n") * 260_000)
        with Receiver() as receiver, Daemon(smarthost(receiver)) as daemon:
            daemon.account()
            submit(daemon, sent)
            [message] = receiver.wait_for(1)
        self.assertTrue(message.content.endswith(sent))


class TroubleTests(SynchronousTestCase):
    """Receivers that do not want, or cannot."""

    def test_later(self) -> None:
        """What is refused for now is tried again."""
        with (
            Receiver(Behaviour(recipient="451 4.7.1 greylisted")) as receiver,
            Daemon(smarthost(receiver)) as daemon,
        ):
            daemon.account()
            submit(daemon, mail("patience"))
            receiver.wait_for_refusal()
            receiver.behaviour = Behaviour()
            [message] = receiver.wait_for(1)
        self.assertEqual(["patience"], subjects([message.content]))

    def test_later_after_the_dot(self) -> None:
        """The same after the content."""
        with (
            Receiver(Behaviour(content="452 4.3.1 full")) as receiver,
            Daemon(smarthost(receiver)) as daemon,
        ):
            daemon.account()
            submit(daemon, mail("patience"))
            receiver.wait_for_refusal()
            receiver.behaviour = Behaviour()
            receiver.wait_for(1)

    def test_never(self) -> None:
        """What is refused for good comes back to the sender as a report, once."""
        with (
            Receiver(Behaviour(recipient="550 5.1.1 nobody here")) as receiver,
            Daemon(smarthost(receiver)) as daemon,
        ):
            daemon.account()
            submit(daemon, mail("lost cause"))
            receiver.wait_for_refusal()
            receiver.behaviour = Behaviour()
            [report] = receiver.wait_for(1)
        self.assertEqual("", report.sender)
        self.assertEqual([SENDER], list(report.recipients))
        self.assertEqual("multipart/report", parsed(report.content).get_content_type())
        self.assertIn(b"550 5.1.1 nobody here", report.content)

    def test_hangs_up(self) -> None:
        """A receiver that hangs up in the middle gets the message again."""
        for drop in ("MAIL", "RCPT", "DATA"):
            with (
                Receiver(Behaviour(drop=drop)) as receiver,
                Daemon(smarthost(receiver)) as daemon,
            ):
                daemon.account()
                submit(daemon, mail(drop))
                wait_for("a session", lambda: receiver.sessions)
                receiver.behaviour = Behaviour()
                receiver.wait_for(1)

    def test_nobody_listens(self) -> None:
        """Mail for a receiver that is down waits for it, in sight of the operator."""
        with Receiver() as receiver:
            settings = smarthost(receiver)
            port = receiver.port
        with Daemon(settings) as daemon:
            daemon.account()
            submit(daemon, mail("waiting"))
            [queue] = wait_for("an attempt", lambda: daemon.asked("queue"))
            self.assertEqual(1, queue["depth"])
            receiver = Receiver()
            receiver.port = port
            with receiver:
                receiver.wait_for(1)


class TlsTests(SynchronousTestCase):
    """Encryption on the way out."""

    def test_opportunistic(self) -> None:
        """Where the receiver offers it, mail goes out encrypted."""
        with Daemon() as helper:  # its certificate will do
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(helper.certificate, helper.state_dir / "private_key.pem")
        with Receiver(context=context) as receiver, Daemon(smarthost(receiver)) as daemon:
            daemon.account()
            submit(daemon, mail())
            [message] = receiver.wait_for(1)
        self.assertTrue(message.tls)

    def test_required(self) -> None:
        """Where encryption is required, nothing goes out in clear."""
        with Receiver() as receiver:
            with Daemon(smarthost(receiver, delivery_tls="required")) as daemon:
                daemon.account()
                submit(daemon, mail())
                wait_for("several attempts", lambda: receiver.sessions >= 3)
            self.assertEqual([], receiver.received)
