from twisted.trial.unittest import SynchronousTestCase

from tests.scenarios.daemon import Daemon
from tests.scenarios.mails import SENDER, mail, parsed
from tests.scenarios.names import NameServer
from tests.scenarios.receiver import Received, Receiver

RECORDS = (
    'A("mx.example", "127.0.0.1")',
    'MX("mailbox.example", 10, "mx.example")',
    'A("bare.example", "127.0.0.1")',
    'MX("silent.example", 0, "")',
    'A("silent.example", "127.0.0.1")',
    'MX("shop.example", 10, "mx.example")',
)


class RouteTests(SynchronousTestCase):
    """The way to a receiver, by the names that the DNS gives."""

    def arrived(self, recipient: str) -> Received:
        """The first message that the only receiving server gets, after one for a recipient."""
        with Receiver() as receiver, NameServer("example", *RECORDS) as names:
            settings = {
                "delivery.mode": "mx",
                "delivery.port": receiver.port,
                "delivery.resolvers": [f"127.0.0.1:{names.port}"],
                "delivery.retry": ["1s"],
            }
            with Daemon(settings) as daemon:
                daemon.account()
                with daemon.client(daemon.login()) as client:
                    client.sendmail(SENDER, [recipient], mail())
                return receiver.wait_for(1)[0]

    def assert_returned(self, message: Received, reason: bytes) -> None:
        self.assertEqual(("", [SENDER]), (message.sender, list(message.recipients)))
        self.assertEqual("multipart/report", parsed(message.content).get_content_type())
        self.assertIn(reason, message.content)

    def test_by_mx(self) -> None:
        """Mail goes to the host that the MX record names."""
        self.assertEqual(
            ["kees@mailbox.example"], list(self.arrived("kees@mailbox.example").recipients)
        )

    def test_by_address(self) -> None:
        """Without an MX record, mail goes to the domain itself."""
        self.assertEqual(["kees@bare.example"], list(self.arrived("kees@bare.example").recipients))

    def test_null_mx(self) -> None:
        """Mail for a domain that takes none comes back at once (RFC 7505)."""
        self.assert_returned(self.arrived("kees@silent.example"), b"5.1.10")

    def test_no_such_domain(self) -> None:
        """Mail for a domain that does not exist comes back at once."""
        self.assert_returned(self.arrived("kees@missing.example"), b"5.1.2")
