"""The operator's commands for sender domains."""

from datetime import date

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.dns.dmarc import Dmarc
from smtpeter.message.dkimkeys import Algorithm, DkimKey
from smtpeter.store import accounts, dkimkeys
from smtpeter.store.database import Database
from smtpeter.store.domains import SenderDomain, add_domain, applying_domain, domains
from tests.commands import NOW, CommandCase

NOOR = "noor@shop.example"
KEES = "kees@club.example"
SHOP = {
    "name": "shop.example",
    "account": NOOR,
    "approved": True,
    "bounces": "bounces.shop.example",
    "tracking": "clicks.shop.example",
    "https": False,
    "ips": [],
    "policy": "none",
    "percentage": 100,
    "startdate": None,
    "enddate": None,
    "addresses": ["dmarc@localhost"],
    "pool": "",
    "spf": [],
    "created": "2023-11-14T22:13:20Z",
    "proof": None,
}


class DomainTests(CommandCase):
    """Domains of two accounts."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(dkimkeys, "new_key", lambda: DkimKey.generate(Algorithm.ED25519))
        self.text("account", "add", NOOR)
        self.text("account", "add", KEES)
        self.database = Database.open("sqlite:///smtpeter.db", self.state)
        self.addCleanup(self.database.close)

    def stored(self) -> list[SenderDomain]:
        with self.database.connect() as connection:
            return domains(connection)

    def test_add(self) -> None:
        """A domain is approved at once, has its default hosts, and holds when the command ends."""
        self.assertEqual(SHOP, self.document("domain", "add", NOOR, "Shop.example."))
        [stored] = self.stored()
        self.assertEqual((NOW, NOW, False), (stored.approved, stored.created, stored.https))
        with self.database.connect() as connection:
            self.assertEqual(stored, applying_domain(connection, stored.account_id, "shop.example"))
        self.assertEqual([IDENTITY_SECONDS], self.slept)

    def test_add_with_options(self) -> None:
        """Hosts and scheme are as they were chosen."""
        document = self.document(
            *("domain", "add", NOOR, "news.b\u00fccher.example", "--https", "on"),
            *("--tracking", "GO.B\u00fccher.example", "--bounces", "b.news.b\u00fccher.example"),
        )
        self.assertEqual(
            ("go.xn--bcher-kva.example", True, "b.news.xn--bcher-kva.example"),
            (document["tracking"], document["https"], document["bounces"]),
        )

    def test_keys(self) -> None:
        """A domain gets its keys with it, and loses them with it."""
        self.text("domain", "add", NOOR, "shop.example")
        [shop] = self.stored()
        with self.database.connect() as connection:
            self.assertEqual(["zero", "one", "two"], list(dkimkeys.own_keys(connection, shop)))
        self.assertEqual("zero", shop.selector)
        self.text("domain", "remove", "shop.example")
        with self.database.connect() as connection:
            self.assertEqual([], dkimkeys.keys(connection))

    def test_settings(self) -> None:
        """All that can be said of a domain is stored and shown; what is not named stays."""
        self.config.write_text(
            self.config.read_text()
            + '[tracking]\nbounce_host = "bounces.relay.example"\n'
            + '[delivery.pools.news]\naddresses = ["192.0.2.17", "2001:db8::17"]\n'
        )
        words = [
            *("--policy", "quarantine", "--percentage", "40", "--pool", "news"),
            *("--startdate", "2031-01-01", "--enddate", "2031-02-01"),
            *("--address", "reports@shop.example", "--address", "dmarc@bounces.relay.example"),
            *("--spf", "ip:198.51.100.0/24", "--spf", "mx", "--spf", "mx"),
        ]
        expected = SHOP | {
            "ips": ["192.0.2.17", "2001:db8::17"],
            "policy": "quarantine",
            "percentage": 40,
            "startdate": "2031-01-01",
            "enddate": "2031-02-01",
            "addresses": ["dmarc@bounces.relay.example", "reports@shop.example"],
            "pool": "news",
            "spf": ["ip4:198.51.100.0/24", "mx"],
        }
        self.assertEqual(expected, self.document("domain", "add", NOOR, "shop.example", *words))
        dmarc = Dmarc("quarantine", 40, date(2031, 1, 1), date(2031, 2, 1))
        self.assertEqual(dmarc, self.stored()[0].dmarc)
        changed = self.document(
            *("domain", "set", "shop.example", "--percentage", "0", "--enddate", "none"),
            *("--address", "a@club.example", "--remove-address", "reports@shop.example"),
            *("--spf", "include:spf.club.example", "--clear-spf", "--pool", ""),
        )
        expected |= {
            "ips": [],
            "percentage": 0,
            "enddate": None,
            "addresses": ["dmarc@bounces.relay.example", "a@club.example"],
            "pool": "",
            "spf": ["include:spf.club.example"],
        }
        self.assertEqual(expected, changed)
        self.assertEqual([changed], self.document("domain", "list"))

    def test_ips_by_dns(self) -> None:
        """Where no address is configured it is what the DNS says of the host name."""
        self.config.write_text('hostname = "mail.relay.example"\n' + self.config.read_text())
        self.names.add("mail.relay.example", "192.0.2.17", "A")
        document = self.document("domain", "add", NOOR, "shop.example")
        self.assertEqual(["192.0.2.17"], document["ips"])
        self.names.silent("mail.relay.example", "A")
        self.assertEqual([], self.document("domain", "list")[0]["ips"])
        self.names.asked.clear()
        self.text("domain", "list")
        self.assertEqual([], self.names.asked)

    def test_unapproved(self) -> None:
        """A domain may wait until its owner has published a proof, which is shown."""
        added = self.document("domain", "add", NOOR, "shop.example", "--unapproved")
        proof = added["proof"]
        self.assertEqual(SHOP | {"approved": False, "proof": proof}, added)
        self.assertRegex(proof["name"], r"\Asmtpeter-[a-z0-9]{10}\.shop\.example\Z")
        self.assertRegex(proof["value"], r"\A[A-Za-z0-9]{64}\Z")
        self.assertEqual([added], self.document("domain", "list"))
        said = self.text("domain", "add", KEES, "shop.example", "--unapproved")
        self.assertRegex(said, r"(?m)^    smtpeter-\w{10}\.shop\.example TXT \w{64}$")

    def test_check(self) -> None:
        """It is approved when the proof is found, and not before."""
        proof = self.document("domain", "add", NOOR, "shop.example", "--unapproved")["proof"]
        checked = self.document("domain", "check", "shop.example")
        self.assertEqual((False, "error"), (checked["approved"], checked["status"]["validation"]))
        first = checked["records"][0]
        self.assertEqual(proof | {"status": "missing", "found": [], "problem": ""}, first)
        self.names.silent(proof["name"])
        self.assertIn("waits: ", self.text("domain", "check", "shop.example"))
        self.names.records[proof["name"], "TXT"] = ("verification=1", proof["value"])
        self.slept.clear()
        checked = self.document("domain", "check", "shop.example")
        self.assertEqual((True, "ok"), (checked["approved"], checked["status"]["validation"]))
        self.assertEqual([IDENTITY_SECONDS], self.slept)
        [stored] = self.stored()
        self.assertEqual((NOW, None), (stored.approved, stored.proof))
        checked = self.document("domain", "check", "shop.example")
        self.assertNotIn(proof["name"], [each["name"] for each in checked["records"]])
        self.assertIn("is approved.\n", self.text("domain", "check", "shop.example"))

    def test_check_of_two(self) -> None:
        """Of accounts that wait for a domain, the one that proves it first has it."""
        proofs = {
            each: self.document("domain", "add", each, "shop.example", "--unapproved")["proof"]
            for each in (NOOR, KEES)
        }
        for proof in proofs.values():
            self.names.add(proof["name"], proof["value"])
        said = self.complaint("domain", "check", "shop.example")
        self.assertIn("2 accounts wait for the domain 'shop.example'", said)
        self.text("domain", "check", "shop.example", "--account", KEES)
        said = self.complaint("domain", "check", "shop.example", "--account", NOOR)
        self.assertIn("another account has the domain 'shop.example'", said)
        self.assertEqual(KEES, self.document("domain", "check", "shop.example")["account"])
        self.text("domain", "remove", "shop.example", "--account", NOOR)
        self.assertEqual(1, len(self.stored()))

    def test_check_without_keys(self) -> None:
        """A domain that came without keys gets them when it is looked at."""
        with self.database.begin() as connection:
            add_domain(
                connection,
                accounts.existing_account(connection, KEES).id,
                "club.example",
                NOW,
                approved=NOW,
                tracking_host="clicks.club.example",
                bounce_host="bounces.club.example",
            )
        records = self.document("domain", "check", "club.example")["records"]
        self.assertEqual(3, sum("_domainkey" in each["name"] for each in records))
        [stored] = self.stored()
        self.assertEqual("zero", stored.selector)

    def test_add_for_people(self) -> None:
        """Without --json it is said where links point, and where bounces go."""
        self.assertEqual(
            f"The domain shop.example was added to {NOOR}.\n\n"
            "    tracking  https://clicks.shop.example\n"
            "    bounces   bounces.shop.example\n",
            self.text("domain", "add", NOOR, "shop.example", "--https", "on"),
        )

    def test_settings_for_people(self) -> None:
        """What is not as usual is told."""
        words = ("--policy", "reject", "--startdate", "2031-01-01", "--spf", "mx", "--spf", "a")
        said = self.text("domain", "add", NOOR, "shop.example", "--address", "a@b.example", *words)
        self.assertIn(
            "    bounces   bounces.shop.example\n"
            "    policy    reject, 100 % from 2031-01-01\n"
            "    reports   a@b.example\n"
            "    spf       mx a\n",
            said,
        )
        said = self.text("domain", "set", "shop.example", "--enddate", "2031-02-01")
        self.assertIn("reject, 100 % from 2031-01-01 to 2031-02-01\n", said)

    def test_set(self) -> None:
        """What is named is changed, and the rest stays."""
        self.text("domain", "add", NOOR, "shop.example", "--bounces", "b.shop.example")
        changed = self.document("domain", "set", "SHOP.example", "--https", "on")
        self.assertEqual(SHOP | {"bounces": "b.shop.example", "https": True}, changed)
        changed = self.document("domain", "set", "shop.example", "--tracking", "go.shop.example")
        self.assertEqual(("go.shop.example", True), (changed["tracking"], changed["https"]))
        self.assertEqual([changed], self.document("domain", "list"))
        said = self.text("domain", "set", "shop.example", "--https", "off")
        self.assertIn("http://go.shop.example\n", said)
        self.assertEqual([IDENTITY_SECONDS] * 4, self.slept)

    def test_list(self) -> None:
        """Domains are listed for all accounts or for one, those not approved too."""
        self.text("domain", "add", NOOR, "shop.example")
        with self.database.begin() as connection:
            add_domain(
                connection,
                accounts.existing_account(connection, KEES).id,
                "club.example",
                NOW,
                approved=None,
                tracking_host="clicks.club.example",
                bounce_host="bounces.club.example",
            )
        self.assertEqual(
            [("club.example", False), ("shop.example", True)],
            [(each["name"], each["approved"]) for each in self.document("domain", "list")],
        )
        self.assertEqual([SHOP], self.document("domain", "list", NOOR))
        _, club, shop = self.text("domain", "list").splitlines()
        self.assertRegex(club, "^club.example +kees@club.example +2023.* waiting +http://clicks")
        self.assertRegex(shop, "^shop.example .* approved +http://clicks.shop.* bounces.shop")

    def test_remove(self) -> None:
        """A domain that is removed is told once more, and gone."""
        self.text("domain", "add", NOOR, "shop.example")
        self.assertEqual(SHOP, self.document("domain", "remove", "shop.example"))
        self.assertEqual([], self.document("domain", "list"))
        self.text("domain", "add", KEES, "shop.example")
        said = self.text("domain", "remove", "shop.example")
        self.assertEqual("The domain shop.example was removed.\n", said)
        self.assertEqual([IDENTITY_SECONDS] * 4, self.slept)

    def test_refused(self) -> None:
        """What cannot be done is said in one line, and nothing is changed."""
        self.text("domain", "add", NOOR, "shop.example")
        before = self.stored()
        for words, said in (
            (("add", "q@shop.example", "q.example"), "there is no account 'q@shop.example'"),
            (("add", NOOR, "shop.example"), "the account has the domain 'shop.example' already"),
            (("add", KEES, "shop.example"), "another account has the domain 'shop.example'"),
            (("add", NOOR, "shop"), "'shop' has no dot"),
            (("add", NOOR, "co.uk"), "'co.uk' is a public suffix"),
            (("add", NOOR, "a@b.example"), "'a@b.example' is no domain name"),
            (
                ("add", KEES, "club.example", "--tracking", "clicks.shop.example"),
                "--tracking: 'clicks.shop.example' does not belong to 'club.example'; allowed",
            ),
            (("add", KEES, "club.example", "--bounces", ""), "--bounces: '' is no domain name"),
            (("add", KEES, f"{'a.' * 121}example"), "--tracking: a domain name is longer"),
            (("add", KEES, "club.example", "--https", "yes"), "'yes' is not one of 'on', 'off'"),
            (("set", "shop.example"), "nothing was named"),
            (("set", "club.example", "--https", "on"), "there is no sender domain 'club.example'"),
            (("set", "shop.example", "--bounces", "192.0.2.7"), "'192.0.2.7' is no domain name"),
            (("set", "co.uk", "--tracking", "a.co.uk"), "there is no sender domain 'co.uk'"),
            (
                ("add", KEES, "club.example", "--unapproved", "--address", "a@b.example"),
                "--address: club.example is not approved yet",
            ),
            (("add", KEES, f"{'a.' * 117}example", "--unapproved"), "no proof fits below it"),
            (("set", "shop.example", "--percentage", "101"), "101 is not in the range"),
            (("set", "shop.example", "--policy", "accept"), "'accept' is not one of"),
            (("set", "shop.example", "--startdate", "1-1-2031"), "'1-1-2031' is no date such as"),
            (("set", "shop.example", "--startdate", "20310101"), "'20310101' is no date such as"),
            (
                ("set", "shop.example", "--startdate", "2031-02-01", "--enddate", "2031-01-31"),
                "--enddate: 2031-01-31 is before the start on 2031-02-01",
            ),
            (("set", "shop.example", "--address", "a"), "'a' is no e-mail address"),
            (
                ("set", "shop.example", *(f"--address={each}@b.example" for each in range(11))),
                "--address: a domain has 10 addresses at most",
            ),
            (
                ("set", "shop.example", "--remove-address", "dmarc@localhost"),
                "--remove-address: dmarc@localhost is the service's own, and stays",
            ),
            (
                ("set", "shop.example", "--remove-address", "a@b.example"),
                "--remove-address: a@b.example is no address of shop.example",
            ),
            (("set", "shop.example", "--pool", "x"), "--pool: there is no pool 'x' in the conf"),
            (("set", "shop.example", "--spf", "ip4:a.example"), "'a.example' is no address"),
            (
                ("set", "shop.example", *(f"--spf=a:m{each}.b.example" for each in range(10))),
                "--spf: more than 9 mechanisms have to be looked up",
            ),
            (
                ("set", "shop.example", *(f"--spf=ip4:192.0.2.{each}" for each in range(21))),
                "--spf: a domain has 20 mechanisms at most",
            ),
            (("set", "shop.example", "--account", KEES, "--https", "on"), "the account has no"),
            (("check", "club.example"), "there is no sender domain 'club.example'"),
            (("remove", "club.example"), "there is no sender domain 'club.example'"),
            (("list", "q@shop.example"), "there is no account 'q@shop.example'"),
        ):
            self.assertIn(said, self.complaint("domain", *words))
        self.assertEqual(before, self.stored())
        self.assertEqual([IDENTITY_SECONDS], self.slept)
