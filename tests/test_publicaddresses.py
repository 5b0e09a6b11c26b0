from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.publicaddresses import PublicReactor, is_public
from tests.network import Network


class IsPublicTests(SynchronousTestCase):
    """Which addresses are of the whole Internet."""

    def test_public(self) -> None:
        """Addresses of the Internet are public."""
        for address in ("1.1.1.1", "93.184.216.34", "2606:2800:220:1::1", "::ffff:1.1.1.1"):
            self.assertTrue(is_public(address), address)
        self.assertTrue(is_public("64:ff9b::101:101"))

    def test_not_public(self) -> None:
        """Addresses of a machine, a network, or a way around are not, however they are written."""
        for address in (
            *("127.0.0.1", "0.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
            *("100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
            *(
                "::",
                "::1",
                "fe80::1",
                "fe80::1%eth0",
                "fc00::1",
                "fd00::1",
                "ff02::1",
                "2001:db8::1",
            ),
            *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
            *("2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "64:ff9b:1::1"),
        ):
            self.assertFalse(is_public(address), address)

    @given(st.text())
    def test_no_address(self, text: str) -> None:
        """What is no address is not public."""
        if not any(character.isdigit() or character == ":" for character in text):
            self.assertFalse(is_public(text))

    @given(st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="127.0.0.0/8"))
    def test_within_ipv6(self, address: object) -> None:
        """A private address does not become public within one of IPv6."""
        self.assertFalse(is_public(f"::ffff:{address}"))
        self.assertFalse(is_public(f"64:ff9b::{address}"))


class PublicReactorTests(SynchronousTestCase):
    """Connections by names."""

    def connect(self, name: str, *addresses: str) -> Network:
        """Connect to a name that has these addresses."""
        network = Network({name: addresses} if addresses else {})
        endpoint = HostnameEndpoint(PublicReactor(network), name, 80)
        self.connecting = endpoint.connect(Factory())
        return network

    def test_public(self) -> None:
        """A name with a public address is connected to."""
        self.assertEqual([("1.1.1.1", 80)], self.connect("shop.example", "1.1.1.1").asked)

    def test_private(self) -> None:
        """A name of ours is as good as none."""
        self.assertEqual([], self.connect("shop.example", "127.0.0.1", "::1").asked)
        self.failureResultOf(self.connecting, DNSLookupError)

    def test_both(self) -> None:
        """Of a name that has both, only the public addresses count."""
        network = self.connect("shop.example", "127.0.0.1", "1.1.1.1", "10.0.0.1")
        network.advance(1)
        self.assertEqual([("1.1.1.1", 80)], network.asked)

    def test_literal(self) -> None:
        """An address in the place of a name is looked at too."""
        for address in ("127.0.0.1", "::1", "169.254.169.254"):
            self.assertEqual([], self.connect(address).asked)
            self.failureResultOf(self.connecting, DNSLookupError)
