"""The operator's commands for sender domains."""

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.store import accounts
from smtpeter.store.database import Database
from smtpeter.store.domains import SenderDomain, add_domain, applying_domain, domains
from tests.commands import NOW, CommandCase

NOOR = "noor@shop.example"
KEES = "kees@club.example"
SHOP = {
    "name": "shop.example",
    "account": NOOR,
    "approved": "2023-11-14T22:13:20Z",
    "tracking": "clicks.shop.example",
    "https": False,
    "bounces": "bounces.shop.example",
    "created": "2023-11-14T22:13:20Z",
}


class DomainTests(CommandCase):
    """Domains of two accounts."""

    def setUp(self) -> None:
        super().setUp()
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

    def test_add_for_people(self) -> None:
        """Without --json it is said where links point, and where bounces go."""
        self.assertEqual(
            f"The domain shop.example was added to {NOOR}.\n\n"
            "    tracking  https://clicks.shop.example\n"
            "    bounces   bounces.shop.example\n",
            self.text("domain", "add", NOOR, "shop.example", "--https", "on"),
        )

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
            [("club.example", None), ("shop.example", SHOP["approved"])],
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
            (("set", "co.uk", "--tracking", "a.co.uk"), "'co.uk' is a public suffix"),
            (("remove", "club.example"), "there is no sender domain 'club.example'"),
            (("list", "q@shop.example"), "there is no account 'q@shop.example'"),
        ):
            self.assertIn(said, self.complaint("domain", *words))
        self.assertEqual(before, self.stored())
        self.assertEqual([IDENTITY_SECONDS], self.slept)
