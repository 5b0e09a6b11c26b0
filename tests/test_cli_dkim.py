"""The operator's commands for keys that sign mail."""

from pathlib import Path
from typing import Any

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.message.dkimkeys import Algorithm, DkimKey
from smtpeter.message.dkimrecord import key_record
from smtpeter.store import dkimkeys
from smtpeter.store.database import Database
from tests.commands import NOW, CommandCase

NOOR = "noor@shop.example"
KEES = "kees@club.example"
SHOP = "shop.example"


class KeyCase(CommandCase):
    """An account with a sender domain, and another one without."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(dkimkeys, "new_key", lambda: DkimKey.generate(Algorithm.ED25519))
        self.text("account", "add", NOOR)
        self.text("account", "add", KEES)
        self.text("domain", "add", NOOR, SHOP)
        self.slept.clear()

    def stored(self) -> dict[str, DkimKey]:
        """The keys of the first domain by selector."""
        database = Database.open("sqlite:///smtpeter.db", self.state)
        try:
            with database.connect() as connection:
                found = dkimkeys.keys(connection)
        finally:
            database.close()
        return {each.selector: each.key for each in found if each.domain == SHOP}

    def file(self, text: str) -> str:
        path = Path(self.mktemp())
        path.write_text(text)
        return str(path)


class ListTests(KeyCase):
    """What is shown of keys."""

    def test_list(self) -> None:
        """The keys of a domain, with what each does; the secrets are not among it."""
        keys = self.stored()
        listed = self.document("dkim", "list", SHOP)
        self.assertEqual(["zero", "one", "two"], [each["selector"] for each in listed])
        self.assertEqual(
            {
                "domain": SHOP,
                "selector": "zero",
                "hostname": "zero._domainkey.shop.example",
                "account": NOOR,
                "custom": False,
                "always": False,
                "created": "2023-11-14T22:13:20Z",
                "start": None,
                "end": None,
                "algorithm": "ed25519",
                "public": keys["zero"].public_pem,
                "record": key_record(keys["zero"]),
                "state": "signs",
            },
            listed[0],
        )
        self.assertNotIn("PRIVATE", self.invoke("dkim", "list", "--json").stdout)
        self.assertEqual([], self.document("dkim", "list", "club.example"))

    def test_list_for_people(self) -> None:
        """All keys are listed where no domain is named."""
        self.text("dkim", "add", "news.shop.example", "mail", "--always")
        _, news, zero, *_ = self.text("dkim", "list").splitlines()
        self.assertRegex(news, r"^news.shop.example +mail +rsa 2048 +noor@.* signs +yes$")
        self.assertRegex(zero, r"^shop.example +zero +ed25519 +noor@shop.example .* signs +no$")

    def test_states(self) -> None:
        """Which key signs, comes next, and signed before."""

        def states() -> list[str]:
            return [each["state"] for each in self.document("dkim", "list", SHOP)]

        self.assertEqual(["signs", "comes next", "comes later"], states())
        self.text("dkim", "rotate", SHOP, "--force")
        self.assertEqual(["signed before", "signs", "comes next"], states())
        self.text("dkim", "add", SHOP, "a", "--start", "2023-11-14 22:13:21")
        self.text("dkim", "add", SHOP, "b", "--end", "2023-11-14T22:13:20+00:00")
        self.text("dkim", "add", SHOP, "c", "--start", "2023-11-14", "--end", "2023-11-15")
        self.assertEqual(["signs later", "signs no more", "signs"], states()[3:])
        self.text("domain", "add", KEES, "club.example", "--unapproved")
        [state] = {each["state"] for each in self.document("dkim", "list", "club.example")}
        self.assertEqual("waits for approval", state)


class AddTests(KeyCase):
    """Keys that are added."""

    def test_made(self) -> None:
        """A key is made, of either kind, and its record shown."""
        said = self.text("dkim", "add", SHOP, "Mail", "--algorithm", "ed25519")
        record = key_record(self.stored()["mail"])
        self.assertIn(f"\n\n    mail._domainkey.shop.example TXT {record}\n", said)
        self.assertEqual([IDENTITY_SECONDS], self.slept)
        document = self.document("dkim", "add", SHOP, "other")
        self.assertEqual(("rsa", True), (document["algorithm"], document["custom"]))
        self.assertEqual(2048, self.stored()["other"].bits)

    def test_imported(self) -> None:
        """A key is read from a file."""
        key = DkimKey.generate(Algorithm.ED25519)
        document = self.document(
            *("dkim", "add", SHOP, "mail", "--import", self.file(key.private_pem), "--always"),
            *("--start", "2031-01-01 00:00:00", "--end", "2031-02-01 12:30:00"),
        )
        self.assertEqual(
            (True, "2031-01-01T00:00:00Z", "2031-02-01T12:30:00Z", key.public_pem),
            (document["always"], document["start"], document["end"], document["public"]),
        )
        self.assertEqual(key, self.stored()["mail"])
        self.assertNotIn("private", document)

    def test_whose(self) -> None:
        """A key belongs to whoever has the closest domain, unless somebody else is named."""
        self.text("domain", "add", KEES, "news.shop.example")
        document = self.document("dkim", "add", "a.news.shop.example", "mail")
        self.assertEqual(KEES, document["account"])
        document = self.document("dkim", "add", "a.news.shop.example", "mail", "--account", NOOR)
        self.assertEqual(NOOR, document["account"])
        said = self.complaint("dkim", "remove", "a.news.shop.example", "mail")
        self.assertIn("2 accounts have a key 'mail'", said)
        removed = self.document("dkim", "remove", "a.news.shop.example", "mail", "--account", KEES)
        self.assertEqual(KEES, removed["account"])

    def test_remove(self) -> None:
        """A key that was added can be removed."""
        self.text("dkim", "add", SHOP, "mail")
        said = self.text("dkim", "remove", SHOP, "Mail")
        self.assertEqual("The key mail of shop.example was removed.\n", said)
        self.assertNotIn("mail", self.stored())
        self.assertEqual([IDENTITY_SECONDS] * 2, self.slept)

    def test_refused(self) -> None:
        """What cannot be done is said in one line, and nothing is changed."""
        before = self.stored()
        good = self.file(DkimKey.generate(Algorithm.ED25519).private_pem)
        for words, said in (
            (("add", "club.example", "mail"), "no approved sender domain 'club.example'"),
            (("add", SHOP, "mail", "--account", KEES), "no approved sender domain 'shop.example'"),
            (("add", SHOP, "mail", "--account", "q@q.example"), "there is no account"),
            (("add", SHOP, "zero"), "'zero' is not free"),
            (("add", SHOP, "Publickey"), "'publickey' is not free"),
            (("add", SHOP, "a_b"), "'a_b' is no selector"),
            (("add", SHOP, "mail", "--algorithm", "dsa"), "'dsa' is not one of 'rsa', 'ed25519'"),
            (("add", SHOP, "mail", "--start", "soon"), "'soon' is no time such as"),
            (("add", SHOP, "mail", "--end", "9999-12-31T23:59:59-01:00"), "is no time such as"),
            (
                ("add", SHOP, "mail", "--start", "2031-01-02", "--end", "2031-01-02"),
                "--end: it is not after --start",
            ),
            (("add", SHOP, "mail", "--import", "/nowhere/key"), "/nowhere/key cannot be read"),
            (("add", SHOP, "mail", "--import", self.file("key")), "neither PEM nor base64"),
            (("add", SHOP, "mail", "--import", self.file("k" * 99_999)), "it is longer than"),
            (
                ("add", SHOP, "mail", "--import", good, "--algorithm", "rsa"),
                "--algorithm: an imported key has its own",
            ),
            (("remove", SHOP, "mail"), "there is no added key 'mail' of 'shop.example'"),
            (("remove", SHOP, "Zero"), "'zero' is one of the sender domain's own"),
            (("remove", SHOP, "a_b"), "'a_b' is no selector"),
            (("rotate", "club.example"), "there is no sender domain 'club.example'"),
        ):
            self.assertIn(said, self.complaint("dkim", *words))
        self.assertEqual(before, self.stored())
        self.assertEqual([], self.slept)


class RotateTests(KeyCase):
    """The next key of a sender domain."""

    def publish(self, selector: str) -> None:
        name = f"{selector}._domainkey.shop.example"
        self.names.records[name, "TXT"] = (key_record(self.stored()[selector]),)

    def test_rotated(self) -> None:
        """Each time the next one signs, and from the second time on one is made anew."""
        before = self.stored()
        self.publish("one")
        document: Any = self.document("dkim", "rotate", SHOP)
        self.assertEqual(before, self.stored())
        self.assertEqual(
            {
                "domain": SHOP,
                "selector": "one",
                "former": "zero",
                "next": {
                    "name": "two._domainkey.shop.example",
                    "type": "TXT",
                    "value": key_record(before["two"]),
                },
            },
            document,
        )
        self.publish("two")
        said = self.text("dkim", "rotate", SHOP)
        after = self.stored()
        self.assertNotEqual(before["zero"], after["zero"])
        self.assertIn(f"\n    zero._domainkey.shop.example TXT {key_record(after['zero'])}\n", said)
        self.assertEqual([IDENTITY_SECONDS] * 2, self.slept)

    def test_not_published(self) -> None:
        """A key that nobody could find does not sign, unless the operator insists."""
        name = "one._domainkey.shop.example"
        said = self.complaint("dkim", "rotate", SHOP)
        self.assertIn(f"the next key is not published at {name}: there is no TXT record", said)
        self.names.silent(name)
        self.assertIn(f"no answer for {name}", self.complaint("dkim", "rotate", SHOP))
        self.names.records[name, "TXT"] = (key_record(self.stored()["two"]),)
        self.assertIn("it holds another key", self.complaint("dkim", "rotate", SHOP))
        self.assertEqual("one", self.document("dkim", "rotate", SHOP, "--force")["selector"])

    def test_waiting(self) -> None:
        """Nothing signs for a domain that is not approved."""
        self.text("domain", "add", KEES, "club.example", "--unapproved")
        said = self.complaint("dkim", "rotate", "club.example", "--force")
        self.assertIn("'club.example' is not approved", said)

    def test_time(self) -> None:
        """When it was is noted."""
        self.clock = NOW + 60
        self.text("dkim", "rotate", SHOP, "--force")
        self.clock = NOW + 120
        self.text("dkim", "rotate", SHOP, "--force")
        created = {
            each["selector"]: each["created"] for each in self.document("dkim", "list", SHOP)
        }
        self.assertEqual("2023-11-14T22:15:20Z", created["zero"])
