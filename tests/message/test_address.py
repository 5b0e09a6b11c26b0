"""Mailboxes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.address import AddressError, Mailbox

ATEXT = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~"
OUTSIDE_ASCII = "äßñéλжあ用€😀"
LET_DIG = "abcxyzABCXYZ0189"

ATOM = st.text(ATEXT + OUTSIDE_ASCII, min_size=1, max_size=8)
DOT_STRING = st.lists(ATOM, min_size=1, max_size=3).map(".".join)
QTEXT = st.sampled_from([chr(code) for code in range(32, 127) if chr(code) not in '"\\'])
QUOTED_PAIR = st.sampled_from([f"\\{chr(code)}" for code in range(32, 127)])
QUOTED_STRING = st.lists(QTEXT | QUOTED_PAIR | st.sampled_from(OUTSIDE_ASCII), max_size=12).map(
    lambda parts: f'"{"".join(parts)}"'
)
LABEL = st.builds(
    lambda first, rest, last: first + rest + last,
    st.sampled_from(LET_DIG),
    st.sampled_from(["", "-b", "x-y", "123"]),
    st.sampled_from(LET_DIG),
)
U_LABEL = st.sampled_from(["bücher", "пример", "例え", "faß", "BÜCHER"])
DOMAIN = st.lists(LABEL | U_LABEL, min_size=1, max_size=4).map(".".join)
LITERAL = st.ip_addresses(v=4).map(lambda ip: f"[{ip}]") | st.ip_addresses(v=6).map(
    lambda ip: f"[IPv6:{ip}]"
)
ADDRESS = st.builds(
    lambda local, domain: f"{local}@{domain}", DOT_STRING | QUOTED_STRING, DOMAIN | LITERAL
).filter(lambda text: len(text.rpartition("@")[0].encode()) <= 64)

VALID = (
    "a@b",
    "noor@shop.example",
    "noor+tag@shop.example",
    "o'hara/x=y@shop.example",
    "a.b.c@x-y.example",
    '"noor noor"@shop.example',
    '""@shop.example',
    '"a@b"@shop.example',
    '"a\\"b"@shop.example',
    '"<>"@shop.example',
    "a@[192.0.2.1]",
    "a@[IPv6:2001:db8::1]",
    "a@[ipv6:::ffff:192.0.2.1]",
    "ü@shop.example",
    "a@bücher.example",
    "a@xn--bcher-kva.example",
    "x" * 64 + "@shop.example",
)
INVALID = (
    "",
    "a",
    "@",
    "a@",
    "@b",
    "a@b@c",
    "a@b..c",
    "a@.b",
    "a@b.",
    ".a@b",
    "a.@b",
    "a..b@c",
    "a@b_c",
    "a@-b",
    "a@b-",
    "a@b.-c.d",
    "a b@c",
    "a@b c",
    " a@b",
    "a@b ",
    "<a@b>",
    "a@b>",
    'a"b@c',
    '"a@b',
    '"a"b@c',
    '"a""b"@c',
    '"a\\"@b',
    "(c)a@b",
    "a,b@c",
    "a:b@c",
    "a;b@c",
    "a\\b@c",
    '"a\nb"@c',
    '"a\rb"@c',
    '"a\0b"@c',
    '"a\\\nb"@c',
    "a\x7f@b",
    "a\x85@b",
    "a\u2028@b",
    "a\ud800@b",
    "a@[192.0.2]",
    "a@[192.0.2.256]",
    "a@[192.0.02.1]",
    "a@[192.0.2.1",
    "a@192.0.2.1]",
    "a@[]",
    "a@[2001:db8::1]",
    "a@[IPv6:2001:db8::g]",
    "a@[IPv6:fe80::1%eth0]",
    'a@[IPv6:fe80::1%" <x>]',
    "a@[x400:y]",
    "a@\u00a0",
    "a@ü..example",
    "a@shop.example\u3002",
    "a@ü.example\uff61",
    "a@ü-.example",
    "a@\u200b.example",
    "x" * 65 + "@shop.example",
    "ü" * 33 + "@shop.example",
    "a@" + "b" * 64 + ".example",
    "a@" + "ü" * 60 + ".example",
    "a@" + ".".join(["b" * 50] * 6),
    "x" * 60 + "@" + ".".join(["b" * 60] * 4),
)


class MailboxTests(SynchronousTestCase):
    """The grammar of RFC 5321 and RFC 6531."""

    def test_valid(self) -> None:
        """What the grammar allows is read."""
        for text in VALID:
            self.assertTrue(Mailbox.parse(text).domain_key, text)

    def test_invalid(self) -> None:
        """What it does not allow is refused with a reason."""
        for text in INVALID:
            error = self.assertRaises(AddressError, Mailbox.parse, text)
            self.assertTrue(str(error), text)

    @given(ADDRESS)
    def test_round_trip(self, text: str) -> None:
        """A mailbox that is written and read again is the same mailbox."""
        mailbox = Mailbox.parse(text)
        self.assertEqual(mailbox, Mailbox.parse(str(mailbox)))
        self.assertEqual(str(mailbox), str(Mailbox.parse(str(mailbox))))
        self.assertEqual(mailbox, Mailbox.parse(mailbox.ascii()))

    @given(st.text(max_size=40) | st.text('ab."\\@[]<>:%-ü \n', max_size=30))
    def test_anything(self, text: str) -> None:
        """Any text is read or refused, and what is read holds no line end and no way out."""
        try:
            mailbox = Mailbox.parse(text)
        except AddressError:
            return
        self.assertEqual(mailbox, Mailbox.parse(str(mailbox)))
        self.assertNotRegex(str(mailbox), r"[\x00-\x1f\x7f]")
        self.assertNotRegex(mailbox.domain, r"[<> \"]")

    def test_quotes(self) -> None:
        """The local part is what the quotes hold; it is written with quotes where it must be."""
        mailbox = Mailbox.parse('"a\\"b\\c"@shop.example')
        self.assertEqual('a"bc', mailbox.local)
        self.assertEqual('"a\\"bc"@shop.example', str(mailbox))
        self.assertEqual(Mailbox.parse("noor@b"), Mailbox.parse('"no\\or"@b'))

    def test_comparison(self) -> None:
        """Mailboxes are equal by exact local part and by domain in any case or form."""
        mailbox = Mailbox.parse("noor@bücher.example")
        same = Mailbox.parse("noor@XN--Bcher-KVA.Example")
        self.assertEqual(mailbox, same)
        self.assertEqual(hash(mailbox), hash(same))
        self.assertNotEqual(mailbox, Mailbox.parse("Noor@bücher.example"))
        self.assertNotEqual(mailbox, Mailbox.parse("noor@bucher.example"))

    def test_as_written(self) -> None:
        """The domain is kept as it was written."""
        self.assertEqual("Noor@Shop.Example", str(Mailbox.parse("Noor@Shop.Example")))
        self.assertEqual("shop.example", Mailbox.parse("Noor@Shop.Example").domain_key)
        self.assertEqual("[IPv6:2001:db8::1]", Mailbox.parse("a@[IPv6:2001:DB8:0::1]").domain_key)

    def test_smtputf8(self) -> None:
        """Only a local part outside ASCII needs SMTPUTF8; a domain has its A-labels."""
        self.assertTrue(Mailbox.parse("ü@shop.example").needs_smtputf8)
        mailbox = Mailbox.parse("noor@bücher.example")
        self.assertFalse(mailbox.needs_smtputf8)
        self.assertEqual("noor@xn--bcher-kva.example", mailbox.ascii())

    def test_long_garbage(self) -> None:
        """A megabyte of anything is refused without delay: no pattern backtracks over it."""
        for start, middle, end in (
            ("", "a", ""),
            ("", "a.", ""),
            ("", ".", "@b"),
            ('"', "\\", ""),
            ('"', "a", "@b"),
            ("a@", "b", ""),
            ("a@", "b-", ""),
            ("a@", "-", ""),
            ("a@[", "1.", "]"),
            ("a@[IPv6:", "1:", "]"),
            ("a", "@[", "]"),
            ("", "@", ""),
        ):
            self.assertRaises(AddressError, Mailbox.parse, start + middle * 500_000 + end)
