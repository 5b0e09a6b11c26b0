from __future__ import annotations

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.dns.spfrecord import (
    Mechanism,
    SpfError,
    SpfRecord,
    address_terms,
    is_spf_record,
    mechanism_term,
    read_spf_record,
    spf_record,
)

networks = st.ip_addresses().map(str).map(ip_network).flatmap(
    lambda each: st.integers(0, each.max_prefixlen).map(
        lambda bits: str(each.supernet(new_prefix=bits))
    )
)  # fmt: skip
hosts = st.from_regex(r"\A(?:[a-z0-9_-]{1,9}\.){1,4}[a-z][a-z0-9]{0,8}\Z")
terms = st.one_of(
    networks.map(lambda each: f"ip:{each}"),
    st.builds("{}:{}".format, st.sampled_from(("include", "a", "mx", "exists", "ptr")), hosts),
    st.builds(
        "{}/{}//{}".format, st.sampled_from(("a", "mx")), st.integers(0, 32), st.integers(0, 128)
    ),
)


class TermTests(SynchronousTestCase):
    """Mechanisms as somebody types them."""

    def test_written(self) -> None:
        """They are written in the usual way."""
        for typed, written in (
            ("ip4:198.51.100.0/24", "ip4:198.51.100.0/24"),
            ("IP:198.51.100.7/24", "ip4:198.51.100.0/24"),
            ("ip:198.51.100.7", "ip4:198.51.100.7"),
            ("ip4:198.51.100.7/32", "ip4:198.51.100.7"),
            ("ip:2001:DB8::1", "ip6:2001:db8::1"),
            ("ip6:2001:db8::/32", "ip6:2001:db8::/32"),
            ("include:SPF.Example.net", "include:spf.example.net"),
            ("mx:mx.shop.example", "mx:mx.shop.example"),
            ("a", "a"),
            ("mx", "mx"),
            ("ptr", "ptr"),
            ("a/24", "a/24"),
            ("a:shop.example/24//64", "a:shop.example/24//64"),
            ("mx//64", "mx//64"),
            ("a:", "a"),
            ("a:_spf.shop.example", "a:_spf.shop.example"),
            ("exists:%{ir}.%{v}.spf.Example.net", "exists:%{ir}.%{v}.spf.Example.net"),
            ("exists:%{d1r/}.spf.example.net", "exists:%{d1r/}.spf.example.net"),
            ("include:spf.%{d2}", "include:spf.%{d2}"),
        ):
            self.assertEqual(written, mechanism_term(typed))

    def refused(self, typed: str) -> bool:
        try:
            mechanism_term(typed)
        except SpfError:
            return True
        return False

    def test_refused(self) -> None:
        """What receivers would not understand is refused, and so is what is more than a term."""
        typed = [
            *("", ":", "all", "-all", "+a", "redirect=shop.example", "redirect:shop.example"),
            *("ip", "ip4", "ip4:", "ip4:mail.shop.example", "ip4:2001:db8::1", "ip6:192.0.2.1"),
            *("ip:198.51.100.0/33", "ip4:198.51.100.0/255.255.255.0", "ip4:198.51.100.0/024"),
            *("ip6:fe80::1%eth0", "include", "include:", "include:shop", "exists:", "a:192.0.2.1"),
            *("a:shop..example", "a:.shop.example", "a:-", "a:shop.example/33", "a/x"),
            *("a:shop.example/24/64", "a:shop example", "mx:shop.example -all"),
            *("exists:%{q}.example.net", "exists:%{i", "exists:%i.example"),
            *("include:shop.example/24", "a:b\u00fccher.example", f"a:{'a.' * 130}example"),
            # others than ASCII, though Python takes them for a digit and a letter of it
            *(
                "a/\u0663",
                "a:shop.example/\u0663",
                "include:\u017fhop.example",
                "mx:shop.example\u212a",
            ),
        ]
        self.assertEqual([], [each for each in typed if not self.refused(each)])

    @given(terms)
    def test_stable(self, typed: str) -> None:
        """What was written stays as it is, and is read in a record."""
        written = mechanism_term(typed)
        self.assertEqual(written, mechanism_term(written))
        [mechanism, everybody] = read_spf_record(spf_record([written])).mechanisms
        self.assertEqual(("+", Mechanism("-", "all")), (mechanism.qualifier, everybody))

    @given(st.text())
    def test_anything(self, typed: str) -> None:
        """Whatever is typed is a mechanism or refused, and never more than one term."""
        try:
            written = mechanism_term(typed)
        except SpfError:
            return
        self.assertEqual(2, len(read_spf_record(spf_record([written])).mechanisms))


class RecordTests(SynchronousTestCase):
    """Records as they are published."""

    def test_written(self) -> None:
        self.assertEqual(
            "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 mx -all",
            spf_record([*address_terms(["192.0.2.1", "2001:db8::1"]), "mx"]),
        )

    def test_read(self) -> None:
        self.assertEqual(
            SpfRecord(
                (
                    Mechanism("+", "a", prefix=(24, 128)),
                    Mechanism("?", "include", "spf.example.net"),
                    Mechanism("-", "ip4", network=ip_network("192.0.2.0/24")),
                    Mechanism("~", "all"),
                ),
                "shop.example",
            ),
            read_spf_record(
                "V=SPF1  a/24 ?Include:spf.example.net. -ip4:192.0.2.9/24 ~all"
                " exp=why.example redirect=shop.example x-other="
            ),
        )

    def test_kind(self) -> None:
        """Only the first word decides whether it is one."""
        for text in ("v=spf1", "v=spf1 ", "V=SPF1 nonsense"):
            self.assertTrue(is_spf_record(text))
        for text in ("", "v=spf10 -all", "v=spf2.0/pra -all", " v=spf1 -all", "spf1"):
            self.assertFalse(is_spf_record(text))

    def test_faulty(self) -> None:
        """One fault, and the whole record does not count."""
        for text, fault in (
            ("v=spf10", "does not begin with 'v=spf1'"),
            ("v=spf1 nonsense", "'nonsense' is no mechanism"),
            ("v=spf1 all:x", "'all:x' is no mechanism"),
            ("v=spf1 ip4", "'' is no address or network for ip4"),
            ("v=spf1 include", "'' is no domain for include"),
            ("v=spf1 redirect=", "'' is no domain for redirect"),
            ("v=spf1 redirect=a.example redirect=b.example", "redirect= is there twice"),
            ("v=spf1 a:", "'' is no domain for a"),
            ("v=spf1 a/33", "'/33' is no length of a prefix"),
            ("v=spf1 -", "'-' is no mechanism"),
            ("v=spf1 :", "':' is no mechanism"),
        ):
            with self.assertRaises(SpfError) as caught:
                read_spf_record(text)
            self.assertIn(fault, str(caught.exception))

    @given(st.text())
    def test_anything(self, text: str) -> None:
        """Whatever is published is read, or faulty."""
        try:
            read_spf_record(f"v=spf1 {text}")
        except SpfError as error:
            self.assertTrue(str(error))
