from twisted.trial.unittest import SynchronousTestCase

from smtpeter.config.sections import Delivery, Limits
from smtpeter.delivery.providers import provider_limits
from smtpeter.delivery.resolver import MailExchanger
from smtpeter.delivery.route import Way
from smtpeter.delivery.terms import limits_of, terms_of

OWN = Limits(3, 2.0)
HOSTS = (MailExchanger(10, "mx1.hoster.example"), MailExchanger(20, "mx.backup.example"))


def way(destination: str, receiver: str = "mx1.hoster.example") -> Way:
    return Way(destination, receiver, HOSTS)


class TermsTests(SynchronousTestCase):
    """What was decided for a receiver."""

    def terms(self, named: str, to: Way) -> tuple[str, Limits]:
        return terms_of(Delivery(connections=7, receivers={named: OWN}), to)

    def test_general(self) -> None:
        """What nobody named has the general limits."""
        self.assertEqual(
            ("mx1.hoster.example", Limits(7)), self.terms("other.example", way("shop.example"))
        )

    def test_receiver(self) -> None:
        """A receiver can be named, by its own name, a host, or a domain above one."""
        for named in ("mx1.hoster.example", "hoster.example", "mx.backup.example"):
            self.assertEqual(
                ("mx1.hoster.example", OWN), self.terms(named, way("shop.example")), named
            )

    def test_domain(self) -> None:
        """A domain that is named is a receiver of its own, with the others as they were."""
        self.assertEqual(("shop.example", OWN), self.terms("shop.example", way("shop.example")))
        self.assertEqual(
            ("mx1.hoster.example", Limits(7)), self.terms("shop.example", way("two.example"))
        )

    def test_smart_host(self) -> None:
        """A smart host is named without its port."""
        to = Way("relay.example:587", "relay.example:587", (MailExchanger(0, "relay.example"),))
        self.assertEqual(("relay.example:587", OWN), self.terms("relay.example", to))
        literal = Way("[IPv6:2001:db8::7]", "[IPv6:2001:db8::7]", ())
        self.assertEqual("[IPv6:2001:db8::7]", self.terms("relay.example", literal)[0])

    def test_house(self) -> None:
        """A large house is spared what is built in, or less when that is decided."""
        built_in = provider_limits("gmail.com")
        assert built_in is not None
        wide = Delivery(connections=1000, messages_per_connection=1_000_000)
        found = limits_of(wide, "gmail.com")
        self.assertEqual(
            (built_in.connections, built_in.messages_per_connection),
            (found.connections, found.messages_per_connection),
        )
        self.assertEqual(1, limits_of(Delivery(connections=1), "gmail.com").connections)
        self.assertEqual(
            0.5, limits_of(Delivery(messages_per_second=0.5), "gmail.com").messages_per_second
        )
        self.assertEqual(OWN, limits_of(Delivery(receivers={"gmail.com": OWN}), "gmail.com"))
