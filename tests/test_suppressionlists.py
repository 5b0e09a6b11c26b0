"""Suppression lists as files."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.store.suppressions import MAILBOX, MANUAL, REASONS, Lifetimes, Suppression
from smtpeter.suppressionlists import Fault, read, written

NOW = 1_700_000_000.0
KEES = Suppression("kees@mailbox.example", MANUAL, "", "", NOW, None)
GONE = Suppression(
    "ria@mailbox.example", MAILBOX, '550 5.1.1 "No, such user"', "a" * 16, NOW - 60, NOW + 60
)
ENTRIES = st.builds(
    Suppression,
    address=st.from_regex(r"[a-z0-9_]{1,10}@[a-z0-9]{1,10}\.example", fullmatch=True),
    reason=st.sampled_from(REASONS),
    description=st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"])),
    message=st.just("") | st.from_regex(r"[A-Za-z0-9]{16}", fullmatch=True),
    created=st.integers(0, int(NOW)).map(float),
    expires=st.none() | st.integers(0, 4_000_000_000).map(float),
)


def found(text: str, lifetimes: Lifetimes | None = None) -> list[Suppression | Fault]:
    """What stands in a file."""
    lines = text.splitlines(keepends=True)
    return list(read(lines, NOW, lifetimes or Lifetimes()))


def faults(text: str) -> list[str]:
    """What is wrong with it."""
    return [str(each) for each in found(text) if isinstance(each, Fault)]


class ReadTests(SynchronousTestCase):
    """What may stand in a file."""

    def test_addresses(self) -> None:
        """A file may be nothing but an address on each line, in any case, with any line endings."""
        ria = evolve(KEES, address="ria@mailbox.example")
        for text in (
            "kees@mailbox.example\nria@mailbox.example\n",
            "Kees@Mailbox.example\r\n\r\n  ria@mailbox.example  ",
            "kees@mailbox.example,Kees,1\nria@mailbox.example,Ria,2",
            "email\nkees@mailbox.example\nria@mailbox.example\n",
        ):
            self.assertEqual([KEES, ria], found(text), text)

    def test_columns(self) -> None:
        """With headings the columns may be in any order, and others than ours are passed over."""
        text = (
            "Message,Name,Recipient,Reason,Expires,created,description\n"
            f"{'a' * 16},Ria,ria@mailbox.example,Mailbox,2023-11-14T23:14:20+01:00,"
            '2023-11-14 22:12:20,"550 5.1.1 ""No, such user"""\n'
            ",,kees@mailbox.example\n"
        )
        self.assertEqual([GONE, KEES], found(text))

    def test_lifetimes(self) -> None:
        """An entry that does not say it lasts as usual for its reason."""
        text = (
            "address,reason,expires\na@b.example,mailbox,\na@b.example,complaint,never\na@b.example"
        )
        lifetimes = Lifetimes(mailbox=10.0, complaint=20.0, manual=30.0)
        ends = [each.expires for each in found(text, lifetimes) if isinstance(each, Suppression)]
        self.assertEqual([NOW + 10, None, NOW + 30], ends)

    def test_future(self) -> None:
        """No entry begins later than now."""
        self.assertEqual([KEES], found("address,created\nkees@mailbox.example,2099-01-01"))

    def test_faults(self) -> None:
        """What cannot be read is named with its line; the rest is read all the same."""
        text = (
            "address,reason,message,created,expires\n"
            "kees\n"
            "kees@mailbox.example\n"
            "\n"
            "a@b.example,bored\n"
            "a@b.example,manual,7\n"
            "a@b.example,manual,,yesterday\n"
            "a@b.example,manual,,,soon\n"
            "a@b.example,manual,,,9999-12-31T23:59:59-01:00\n"
            ",manual\n"
            "a\udcff@b.example\n"
        )
        self.assertEqual([KEES], [each for each in found(text) if isinstance(each, Suppression)])
        self.assertEqual(
            [
                "line 2: 'kees' is no address: it has no @",
                "line 5: 'bored' is no reason; allowed are mailbox, complaint, manual",
                "line 6: '7' is no message id",
                "line 7: 'yesterday' is no time such as 2026-11-20T11:33:45Z",
                "line 8: 'soon' is no time such as 2026-11-20T11:33:45Z",
                "line 9: '9999-12-31T23:59:59-01:00' is no time such as 2026-11-20T11:33:45Z",
                "line 10: '' is no address: it has no @",
                "line 11: it is not UTF-8 text",
            ],
            faults(text),
        )

    def test_no_end(self) -> None:
        """A quotation mark that is never closed does not make the rest of the file a cell."""
        text = '"kees@mailbox.example\n' + "ria@mailbox.example\n" * 10_000
        self.assertIn("it is no CSV: field larger than field limit", faults(text)[0])

    def test_shown(self) -> None:
        """A fault does not show more of a line than fits."""
        [fault] = faults("x" * 5000)
        self.assertLess(len(fault), 150)

    @given(st.text(max_size=200))
    def test_anything(self, text: str) -> None:
        """Whatever stands in a file, each of its lines is an entry or has a fault."""
        for each in found(text):
            self.assertTrue(each.address if isinstance(each, Suppression) else each.text)


class WrittenTests(SynchronousTestCase):
    """What we write."""

    def test_written(self) -> None:
        """CSV with headings, times as RFC 3339 has them."""
        self.assertEqual(
            "address,reason,description,message,created,expires\n"
            "kees@mailbox.example,manual,,,2023-11-14T22:13:20Z,never\n"
            'ria@mailbox.example,mailbox,"550 5.1.1 ""No, such user""",aaaaaaaaaaaaaaaa,'
            "2023-11-14T22:12:20Z,2023-11-14T22:14:20Z\n",
            "".join(written([KEES, GONE])),
        )

    def test_one_line(self) -> None:
        """An entry is one line, whatever a server has said."""
        entry = evolve(GONE, description="550-5.1.1 No\n550 such\tuser")
        self.assertIn("550-5.1.1 No 550 such user", list(written([entry]))[1])

    @given(st.lists(ENTRIES, max_size=5))
    def test_read_back(self, entries: list[Suppression]) -> None:
        """What was written is read back as it was."""
        shortened = [evolve(each, description=each.description[:500]) for each in entries]
        self.assertEqual(shortened, found("".join(written(shortened))))
