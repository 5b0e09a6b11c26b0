from __future__ import annotations

from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.bases import Bases
from smtpeter.config import load
from smtpeter.store.domains import SenderDomain
from tests.store.cases import NOW

SHOP = SenderDomain(
    1, 1, "shop.example", NOW, "go.shop.example", False, "bounces.shop.example", NOW
)


class BasesTests(SynchronousTestCase):
    """Scheme, host and port, by the configuration."""

    def bases(self, *lines: str) -> Bases:
        file = Path(self.mktemp())
        file.write_text("\n".join(('tracking.host = "clicks.relay.example"', *lines)))
        return Bases.from_config(load(str(file)))

    def shown(self, *lines: str) -> tuple[str, str, str]:
        """Without a sender domain, with one over HTTPS, with one over HTTP."""
        bases = self.bases(*lines)
        return bases.of(None), bases.of(evolve(SHOP, https=True)), bases.of(SHOP)

    def test_default_ports(self) -> None:
        """Where the service is reached by the default port, no address has one."""
        for public in ("https://mail.relay.example", "https://mail.relay.example:443"):
            shown = self.shown(f'http.public_url = "{public}"', 'http.http = ["127.0.0.1:8080"]')
            self.assertEqual(("https://go.shop.example", "http://go.shop.example"), shown[1:])

    def test_other_ports(self) -> None:
        """Elsewhere each scheme has its own: that of the public address, and of a listener."""
        self.assertEqual(
            (
                "https://clicks.relay.example:8443",
                "https://go.shop.example:8443",
                "http://go.shop.example:8081",
            ),
            self.shown(
                'http.public_url = "https://mail.relay.example:8443"',
                'http.http = ["127.0.0.1:8081", "127.0.0.1:8082"]',
            ),
        )
        self.assertEqual(
            (
                "http://clicks.relay.example:8081",
                "https://go.shop.example:8444",
                "http://go.shop.example:8081",
            ),
            self.shown(
                'http.public_url = "http://mail.relay.example:8081"',
                'http.https = ["127.0.0.1:8444"]',
            ),
        )

    def test_listener_on_the_default_port(self) -> None:
        """A default port is not written, wherever it comes from."""
        for listening in ('["127.0.0.1:80"]', "[]"):
            shown = self.shown(
                'http.public_url = "https://mail.relay.example:8443"', f"http.http = {listening}"
            )
            self.assertEqual("http://go.shop.example", shown[2])
