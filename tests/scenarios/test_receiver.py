import smtplib

from twisted.trial.unittest import SynchronousTestCase

from tests.scenarios.receiver import Behaviour, Receiver

MAIL = b"Subject: hello\r\n\r\n.a line that begins with a dot\r\n"


def send(receiver: Receiver) -> None:
    with smtplib.SMTP("127.0.0.1", receiver.port, timeout=10) as client:
        client.sendmail("from@a.example", ["to@b.example"], MAIL, ["BODY=8BITMIME"])


class ReceiverTests(SynchronousTestCase):
    """The receiving server that scenarios deliver to."""

    def test_taken(self) -> None:
        """Envelope and exact octets of a message are kept."""
        with Receiver() as receiver:
            send(receiver)
            [message] = receiver.wait_for(1)
        self.assertEqual("from@a.example", message.sender)
        self.assertEqual({"to@b.example": ""}, message.recipients)
        self.assertEqual(MAIL, message.content)
        self.assertIn("BODY=8BITMIME", message.parameters)
        self.assertFalse(message.tls)

    def test_refusals(self) -> None:
        """Recipients and content are refused in the words that were set."""
        with Receiver(Behaviour(recipient="550 5.1.1 nobody")) as receiver:
            error = self.assertRaises(smtplib.SMTPRecipientsRefused, send, receiver)
            self.assertEqual((550, b"5.1.1 nobody"), error.recipients["to@b.example"])
            receiver.behaviour = Behaviour(content="451 4.3.0 later")
            self.assertRaises(smtplib.SMTPDataError, send, receiver)
            receiver.wait_for_refusal(2)
            self.assertEqual([], receiver.received)

    def test_drop(self) -> None:
        """A session ends without an answer where it was set to."""
        for drop in ("MAIL", "RCPT", "DATA", "."):
            with Receiver(Behaviour(drop=drop)) as receiver:
                self.assertRaises(smtplib.SMTPServerDisconnected, send, receiver)
                self.assertEqual([], receiver.received)
