from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter import config
from smtpeter.config import ConfigError
from smtpeter.delivery import classification, providers
from smtpeter.delivery.capture import CaptureCarrier
from smtpeter.delivery.carrier import ICarrier
from smtpeter.delivery.carriers import carrier_for
from smtpeter.delivery.connections import SmtpCarrier
from smtpeter.delivery.security.results import TlsResults
from tests.delivery.security.quickstore import QuickStore


class CarrierForTests(SynchronousTestCase):
    """Which carrier a configuration asks for."""

    def setUp(self) -> None:
        self.called: list[Callable[..., Any]] = []

    def in_thread(self, function: Callable[..., Any], *_: object) -> Deferred[Any]:
        self.called.append(function)
        return Deferred()

    def carrier(self, text: str, reactor: Any = None) -> ICarrier:
        """The carrier for what a configuration says of deliveries."""
        path = Path(self.mktemp())
        path.write_text(f'hostname = "mail.relay.example"\n[delivery]\n{text}\n')
        reactor = reactor or MemoryReactorClock()
        self.store = QuickStore()
        self.results = TlsResults(self.store, reactor)  # type: ignore[arg-type]
        return carrier_for(
            config.load(str(path)),
            self.store,  # type: ignore[arg-type]
            self.results,
            self.in_thread,
            reactor,
        )

    def test_capture(self) -> None:
        """In capture mode everything goes into one Maildir, and nothing to the network."""
        carrier = self.carrier('mode = "capture"', Clock())
        self.assertIsInstance(carrier, CaptureCarrier)
        self.assertEqual("capture", carrier.destination_of("mailbox.example"))
        self.assertEqual([], self.called)

    def test_mx(self) -> None:
        """To the world, mail waits by domain; what is known of receivers is read in a thread."""
        carrier = self.carrier('mode = "mx"\nresolvers = ["127.0.0.1:5300"]')
        self.assertIsInstance(carrier, SmtpCarrier)
        self.assertEqual("mailbox.example", carrier.destination_of("mailbox.example"))
        self.assertEqual([classification.prepare, providers.providers], self.called)

    def test_authorities(self) -> None:
        """A file of authorities that cannot be read is a fault of the configuration."""
        for mode in ('mode = "mx"', 'mode = "smarthost"\nsmarthost = "relay.example.net:587"'):
            error = self.assertRaises(ConfigError, self.carrier, f'{mode}\nca_file = "none.pem"')
            self.assertIn("delivery.ca_file", str(error))

    def test_smarthost(self) -> None:
        """With a smart host there is one receiver, whatever the domain."""
        carrier = self.carrier('mode = "smarthost"\nsmarthost = "relay.example.net:587"')
        self.assertIsInstance(carrier, SmtpCarrier)
        names = {carrier.destination_of(domain) for domain in ("a.example", "b.example")}
        self.assertEqual({"relay.example.net:587"}, names)
