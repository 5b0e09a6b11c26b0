from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.domains import (
    LONGEST_NAME,
    DomainError,
    domain_name,
    host_for,
    organizational_domain,
    report_address_of,
    sender_domain_name,
    tracking_host_of,
    with_parents,
)
from smtpeter.message.address import AddressError, Mailbox

LONG = ".".join(["a" * 63] * 4)


class NameTests(SynchronousTestCase):
    """Names as somebody types them."""

    def test_names(self) -> None:
        """A name is put into lower case and A-labels, and loses a final dot."""
        for text, name in (
            ("shop.example", "shop.example"),
            ("News.Shop.Example.", "news.shop.example"),
            ("b\u00fccher.example", "xn--bcher-kva.example"),
            ("BU\u0308CHER.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            (LONG[:LONGEST_NAME], LONG[:LONGEST_NAME]),
        ):
            self.assertEqual(name, domain_name(text))

    def test_no_names(self) -> None:
        """Anything else is refused with a reason."""
        for text, reason in (
            ("", "'' is no domain name such as 'shop.example'"),
            ("shop", "has no dot"),
            ("shop..example", "is no domain name"),
            (".example", "is no domain name"),
            ("shop.example..", "is no domain name"),
            ("-shop.example", "is no domain name"),
            ("my_shop.example", "is no domain name"),
            ("shop.example\n", "is no domain name"),
            ("noor@shop.example", "is no domain name"),
            ("https://shop.example", "is no domain name"),
            ("192.0.2.7", "is no domain name"),
            ("2001:db8::1", "is no domain name"),
            (f"{'a' * 64}.example", "is no domain name"),
            ("\u2603\ud800.example", "is no international domain name"),
            (f"{LONG}.example", "longer than 253 characters"),
            ("\u00fc" * 10_000, "longer than 253 characters"),
        ):
            with self.assertRaises(DomainError) as caught:
                domain_name(text)
            self.assertIn(reason, str(caught.exception))

    @given(st.text(max_size=300) | st.from_regex(r"[a-z0-9\u00fc-]{1,9}(\.[a-z0-9-]{1,9}){1,3}"))
    def test_any_text(self, text: str) -> None:
        """What is taken stays as it is when it is read again, and is the same in an address."""
        try:
            name = domain_name(text)
        except DomainError:
            return
        self.assertEqual(name, domain_name(name))
        try:
            mailbox = Mailbox.parse(f"noor@{text.removesuffix('.')}")
        except AddressError:
            return
        self.assertEqual(name, mailbox.domain_key)

    def test_parents(self) -> None:
        """Above a domain stand those with fewer labels, the closest first."""
        self.assertEqual(
            ["a.shop.example", "shop.example", "example"], with_parents("a.shop.example")
        )


class OrganizationTests(SynchronousTestCase):
    """What the public suffix list says."""

    def test_organization(self) -> None:
        """The organizational domain is the public suffix with one label before it."""
        for name, organization in (
            ("shop.example", "shop.example"),
            ("a.news.shop.example", "shop.example"),
            ("news.shop.co.uk", "shop.co.uk"),
            ("xn--bcher-kva.xn--p1ai", "xn--bcher-kva.xn--p1ai"),
            ("noor.github.io", "noor.github.io"),
            ("co.uk", None),
        ):
            self.assertEqual(organization, organizational_domain(name), name)

    def test_sender_domain(self) -> None:
        """A public suffix is nobody's sender domain."""
        self.assertEqual("shop.co.uk", sender_domain_name("Shop.co.uk"))
        with self.assertRaisesRegex(DomainError, "'co.uk' is a public suffix"):
            sender_domain_name("co.uk")

    def test_host(self) -> None:
        """A host has to have the organizational domain of its sender domain."""
        for host in ("clicks.shop.co.uk", "shop.co.uk", "go.news.shop.co.uk"):
            self.assertEqual(host, host_for("news.shop.co.uk", host.upper()))
        for host in ("clicks.club.co.uk", "co.uk", "clicks.bookshop.co.uk"):
            with self.assertRaises(DomainError) as caught:
                host_for("news.shop.co.uk", host)
            self.assertEqual(
                f"{host!r} does not belong to 'news.shop.co.uk'; "
                "allowed are 'shop.co.uk' and the names below it",
                str(caught.exception),
            )

    def test_reports(self) -> None:
        """Reports have an address of their own."""
        self.assertEqual("dmarc@bounces.relay.example", report_address_of("bounces.relay.example"))

    def test_default_host(self) -> None:
        """The default hosts are hosts of their domain."""
        self.assertEqual(
            "clicks.shop.example", host_for("shop.example", tracking_host_of("shop.example"))
        )
