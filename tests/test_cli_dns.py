"""The operator's command for what should be in the DNS."""

from typing import Any

from smtpeter.message.dkimkeys import Algorithm, DkimKey
from smtpeter.store import dkimkeys
from tests.commands import CommandCase

NOOR = "noor@shop.example"
KEES = "kees@club.example"
SHOP = "shop.example"
SETTINGS = """
[tracking]
host = "clicks.relay.example"
bounce_host = "bounces.relay.example"
"""


class DnsTests(CommandCase):
    """A sender domain and the DNS."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(dkimkeys, "new_key", lambda: DkimKey.generate(Algorithm.ED25519))
        text = self.config.read_text()
        self.config.write_text(f'hostname = "mail.relay.example"\n{text}{SETTINGS}')
        self.text("account", "add", NOOR)
        self.text("account", "add", KEES)
        self.names.add("mail.relay.example", "192.0.2.17", "A")
        self.names.add("clicks.relay.example", "192.0.2.80", "A")
        self.text("domain", "add", NOOR, SHOP, "--policy", "reject")

    def configure(self, text: str) -> None:
        self.config.write_text(self.config.read_text() + text)

    def records(self, *words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.document("dns", *words)
        return found

    def publish(self, records: list[dict[str, Any]]) -> None:
        for each in records:
            self.names.add(each["name"], each["value"], each["type"])

    def test_records(self) -> None:
        """Each record is told with what is there."""
        records = self.records(SHOP)
        by_name = {(each["name"], each["type"]): each for each in records}
        self.assertEqual(
            {
                "name": "bounces.shop.example",
                "type": "MX",
                "value": "0 mail.relay.example",
                "status": "missing",
                "found": [],
                "problem": "",
            },
            by_name["bounces.shop.example", "MX"],
        )
        self.assertEqual("clicks.relay.example", by_name["clicks.shop.example", "CNAME"]["value"])
        self.assertEqual("v=spf1 ip4:192.0.2.17 -all", by_name[SHOP, "TXT"]["value"])
        self.assertEqual(
            "v=DMARC1; p=reject; pct=100; rua=mailto:dmarc@bounces.relay.example",
            by_name["_dmarc.shop.example", "TXT"]["value"],
        )
        self.publish(records)
        self.assertEqual({"ok"}, {each["status"] for each in self.records(SHOP)})
        self.names.records[SHOP, "TXT"] = ("v=spf1 -all",)
        wrong = next(each for each in self.records(SHOP) if each["name"] == SHOP)
        self.assertEqual(
            ("wrong", ["v=spf1 -all"], "it does not allow 192.0.2.17"),
            (wrong["status"], wrong["found"], wrong["problem"]),
        )

    def test_for_people(self) -> None:
        """The same in lines."""
        self.names.add(SHOP, "v=spf1 -all")
        said = self.text("dns", SHOP)
        self.assertIn(
            "wrong    shop.example TXT\n"
            "         v=spf1 ip4:192.0.2.17 -all\n"
            "         problem: it does not allow 192.0.2.17\n"
            "         found: v=spf1 -all\n",
            said,
        )
        self.assertIn("missing  bounces.shop.example MX\n         0 mail.relay.example\n", said)

    def test_forms(self) -> None:
        """Selfhosted, no record leads to a name of ours."""
        kinds = [each["type"] for each in self.records(SHOP, "--selfhosted")]
        self.assertEqual(["TXT", "TXT", "TXT", "MX", "A", "TXT", "TXT", "TXT"], kinds)
        self.configure('[dns]\nhosted = true\nzone = "dns.relay.example"\n')
        self.assertEqual(kinds, [each["type"] for each in self.records(SHOP, "--selfhosted")])
        records = self.records(SHOP, "--recommended")
        self.assertEqual(self.records(SHOP), records)
        self.assertEqual("dkim1-zero.dns.relay.example", records[0]["value"])

    def test_status(self) -> None:
        """In short it is good or not, record by record."""
        status = self.document("dns", SHOP, "--status")
        self.assertEqual(
            {
                **dict.fromkeys(("dmarc", "dkim", "spf", "mx", "a"), "error"),
                **dict.fromkeys(("caa", "validation"), "ok"),
            },
            status,
        )
        self.publish(self.records(SHOP))
        self.assertEqual({"ok"}, set(self.document("dns", SHOP, "--status").values()))
        self.names.add(SHOP, "0 issue other.example", "CAA")
        self.configure('[dns]\ncertificate_authority = "letsencrypt.org"\n')
        self.assertIn("caa         error\n", self.text("dns", SHOP, "--status"))

    def test_pools(self) -> None:
        """The senders are those of the pool of the domain, else of its account."""
        self.configure('[delivery.pools.news]\naddresses = ["192.0.2.18"]\n')
        self.text("domain", "set", SHOP, "--pool", "news", "--spf", "ip:2001:db8::/32")
        spf = next(each for each in self.records(SHOP) if each["name"] == SHOP)
        self.assertEqual("v=spf1 ip4:192.0.2.18 ip6:2001:db8::/32 -all", spf["value"])

    def test_smarthost(self) -> None:
        """Behind a smart host its senders count, which the operator has to know."""
        self.configure('[delivery]\nmode = "smarthost"\nsmarthost = "relay.example.net:587"\n')
        spf = next(each for each in self.records(SHOP) if each["name"] == SHOP)
        self.assertEqual("v=spf1 a:relay.example.net -all", spf["value"])
        self.text("domain", "set", SHOP, "--spf", "include:spf.example.net")
        spf = next(each for each in self.records(SHOP) if each["name"] == SHOP)
        self.assertEqual("v=spf1 include:spf.example.net -all", spf["value"])
        self.assertEqual([], self.document("domain", "list")[0]["ips"])

    def test_no_answer(self) -> None:
        """What the DNS does not say is said."""
        for name in ("mail.relay.example", "clicks.relay.example", "bounces.shop.example"):
            for kind in ("A", "MX"):
                self.names.silent(name, kind)
        by_name = {(each["name"], each["type"]): each for each in self.records(SHOP)}
        self.assertEqual("v=spf1 a:mail.relay.example -all", by_name[SHOP, "TXT"]["value"])
        exchanger = by_name["bounces.shop.example", "MX"]
        self.assertEqual(
            ("error", "no answer for bounces.shop.example"),
            (exchanger["status"], exchanger["problem"]),
        )

    def test_zone(self) -> None:
        """The zone has the records of all domains, for a name server to load."""
        self.text("domain", "add", KEES, "club.example", "--unapproved")
        self.configure(
            '[dns]\nhosted = true\nzone = "dns.relay.example"\nnameservers = ["ns.relay.example"]\n'
        )
        lines = self.text("dns", "--zone").splitlines()
        self.assertEqual("$ORIGIN dns.relay.example.", lines[0])
        self.assertIn("@ NS ns.relay.example.", lines)
        self.assertIn('@ TXT "v=spf1 ip4:192.0.2.17 -all"', lines)
        for number in (1, 2):
            self.assertIn(f'spf{number} TXT "v=spf1 ip4:192.0.2.17 -all"', lines)
        records = self.records("--zone")
        self.assertEqual(2 + 2 * 5, len(records))
        self.publish(records)
        self.publish(self.records(SHOP))
        self.assertEqual({"ok"}, {each["status"] for each in self.records(SHOP)})

    def test_refused(self) -> None:
        for words, said in (
            (("club.example",), "there is no sender domain 'club.example'"),
            ((SHOP, "--account", KEES), "the account has no sender domain 'shop.example'"),
            ((), "a domain is missing, or --zone"),
            ((SHOP, "--zone"), "--zone is about all domains"),
            (("--zone",), "the zone has no name: dns.zone is empty"),
        ):
            self.assertIn(said, self.complaint("dns", *words))
