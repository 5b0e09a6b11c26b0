"""The operator's commands for suppression lists."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.cli import suppressionfiles, suppressions
from smtpeter.store import accounts
from smtpeter.store.database import Database
from smtpeter.store.suppressions import suppressed
from tests.commands import NOW, CommandCase

NOOR = "noor@shop.example"
KEES, RIA = "kees@mailbox.example", "ria@mailbox.example"
ENTRY = {
    "account": NOOR,
    "address": KEES,
    "reason": "manual",
    "created": "2023-11-14T22:13:20Z",
    "expires": None,
    "message": "",
    "description": "",
}


class SuppressionCase(CommandCase):
    """One account."""

    def setUp(self) -> None:
        super().setUp()
        self.text("account", "add", NOOR)
        self.slept.clear()

    def listed(self) -> list[str]:
        return [each["address"] for each in self.document("suppression", "list", NOOR)]


class SuppressionTests(SuppressionCase):
    """What is put on a list and taken off it."""

    def test_add(self) -> None:
        """Addresses are put on the list in the form by which they are compared."""
        added = self.document("suppression", "add", NOOR, "Kees@MAILBOX.example", RIA, RIA)
        self.assertEqual([ENTRY, ENTRY | {"address": RIA}], added)
        self.assertEqual([IDENTITY_SECONDS], self.slept)
        self.assertEqual(added, self.document("suppression", "list"))
        with Database.open("sqlite:///smtpeter.db", self.state).connect() as connection:
            account = accounts.existing_account(connection, NOOR)
            self.assertIn(KEES, suppressed(connection, account.id, [KEES], NOW))

    def test_expires(self) -> None:
        """An entry lasts as the configuration says, or as the command does; the longer stays."""
        with self.config.open("a") as file:
            file.write('[suppression]\nmanual = "1d"\n')
        for words, expires in (
            ((), "2023-11-15T22:13:20Z"),
            (("--expires", "90d", "--description", "moved"), "2024-02-12T22:13:20Z"),
            (("--expires", "2h"), "2024-02-12T22:13:20Z"),
            (("--expires", "never"), None),
        ):
            [entry] = self.document("suppression", "add", NOOR, KEES, *words)
            self.assertEqual(expires, entry["expires"], words)

    def test_remove(self) -> None:
        """What is removed is named; who is not there cannot be."""
        self.text("suppression", "add", NOOR, KEES, RIA)
        removed = self.document(
            "suppression", "remove", NOOR, "KEES@mailbox.example", "a@b.example"
        )
        self.assertEqual({"account": NOOR, "removed": [KEES]}, removed)
        self.assertEqual([RIA], self.listed())
        complaint = self.complaint("suppression", "remove", NOOR, KEES)
        self.assertEqual(f"none of these is on the suppression list of {NOOR}", complaint)

    def test_list(self) -> None:
        """The list is for one account or for all, and for one address."""
        self.text("account", "add", "eva@club.example")
        self.text("suppression", "add", "eva@club.example", KEES)
        self.text("suppression", "add", NOOR, KEES, RIA)
        listed = self.document("suppression", "list")
        self.assertEqual(
            [("eva@club.example", KEES), (NOOR, KEES), (NOOR, RIA)],
            [(each["account"], each["address"]) for each in listed],
        )
        for_ria = self.document("suppression", "list", "--address", "Ria@mailbox.example")
        self.assertEqual([(NOOR, RIA)], [(each["account"], each["address"]) for each in for_ria])
        self.assertIn("for ever", self.text("suppression", "list", NOOR))

    def test_empty(self) -> None:
        """A list on which nobody stands is an empty one."""
        self.assertEqual([], self.document("suppression", "list", NOOR))
        self.assertEqual("Nobody is suppressed.\n", self.text("suppression", "list"))

    def test_long_list(self) -> None:
        """A person is shown the beginning of a long list, a program all of it."""
        self.patch(suppressions, "SHOWN", 1)
        self.text("suppression", "add", NOOR, KEES, RIA)
        text = self.text("suppression", "list")
        self.assertIn("export EMAIL` has all", text)
        self.assertNotIn(RIA, text)
        self.assertEqual([KEES, RIA], self.listed())

    def test_wrong_calls(self) -> None:
        """What is typed wrong is told in one line."""
        for words, said in (
            (("add", NOOR), "ADDRESS..."),
            (("add", NOOR, "kees"), "'kees' is no e-mail address: it has no @"),
            (("add", NOOR, KEES, "--expires", "soon"), "'soon' is no duration"),
            (("add", NOOR, KEES, "--expires", "0d"), "'0d' is no duration"),
            (("add", "eva@club.example", KEES), "there is no account 'eva@club.example'"),
            (("remove", "eva@club.example", KEES), "there is no account"),
            (("import", "eva@club.example", "-"), "there is no account"),
            (("export", "eva@club.example"), "there is no account"),
        ):
            self.assertIn(said, self.complaint("suppression", *words))


class FileTests(SuppressionCase):
    """Lists as files."""

    def setUp(self) -> None:
        super().setUp()
        self.file = self.config.with_name("list.csv")

    def test_import(self) -> None:
        """A file is put on the list; the service has its turn in between."""
        self.patch(suppressionfiles, "IMPORTED_AT_ONCE", 2)
        self.file.write_text("".join(f"r{number}@x.example\n" for number in range(5)))
        document = self.document("suppression", "import", NOOR, str(self.file))
        self.assertEqual({"account": NOOR, "imported": 5}, document)
        self.assertEqual([f"r{number}@x.example" for number in range(5)], self.listed())
        pause = suppressionfiles.PAUSE_SECONDS
        self.assertEqual([pause, pause, pause, IDENTITY_SECONDS], self.slept)

    def test_standard_input(self) -> None:
        """So is what is piped in, even with a mark of its byte order."""
        self.text("suppression", "import", NOOR, "-", stdin=b"\xef\xbb\xbfkees@mailbox.example\r\n")
        self.assertEqual([KEES], self.listed())

    def test_pipe(self) -> None:
        """A file may be one that can be read only once."""
        os.mkfifo(self.file)
        writer = threading.Thread(target=self.file.write_text, args=(f"{KEES}\n",))
        writer.start()
        self.text("suppression", "import", NOOR, str(self.file))
        writer.join()
        self.assertEqual([KEES], self.listed())

    def test_bad_lines(self) -> None:
        """Bad lines are named by their numbers, and nothing is imported."""
        complaint = self.complaint(
            "suppression", "import", NOOR, "-", stdin=b"kees@mailbox.example\nria\n\xff@a.example\n"
        )
        self.assertEqual(
            "nothing is imported: line 2: 'ria' is no address: it has no @; "
            "line 3: it is not UTF-8 text",
            complaint,
        )
        self.assertEqual([], self.listed())

    def test_many_bad_lines(self) -> None:
        """Of many the first are named, and how many more there are."""
        complaint = self.complaint("suppression", "import", NOOR, "-", stdin=b"x\n" * 1000)
        self.assertTrue(complaint.endswith("; and 990 lines more"), complaint)
        long = self.complaint("suppression", "import", NOOR, "-", stdin=b"x" * 100_000)
        self.assertIn("line 1 is longer than 65536 characters", long)

    def test_expires(self) -> None:
        """What the file does not say the command may; what has ended is left out."""
        self.file.write_text(
            "address,expires\na@x.example,\nb@x.example,never\nc@x.example,2020-01-01\n"
        )
        words = ("suppression", "import", NOOR, str(self.file), "--expires", "1d")
        self.assertEqual(2, self.document(*words)["imported"])
        listed = self.document("suppression", "list", NOOR)
        self.assertEqual(["2023-11-15T22:13:20Z", None], [each["expires"] for each in listed])

    def test_export(self) -> None:
        """What was exported can be imported, and is then what it was."""
        self.text("suppression", "add", NOOR, KEES, "--description", "asked, by phone")
        self.text("suppression", "add", NOOR, RIA, "--expires", "90d")
        exported = self.text("suppression", "export", NOOR)
        self.text("suppression", "export", NOOR, str(self.file))
        self.assertEqual(exported.encode(), self.file.read_bytes())
        before = self.document("suppression", "list", NOOR)
        self.text("suppression", "remove", NOOR, KEES, RIA)
        self.text("suppression", "import", NOOR, str(self.file))
        self.assertEqual(before, self.document("suppression", "list", NOOR))

    def test_no_file(self) -> None:
        """A file that is not there is told as any other fault."""
        missing = str(Path(self.file).with_name("missing"))
        self.assertIn("No such file", self.complaint("suppression", "import", NOOR, missing))
