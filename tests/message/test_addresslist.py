"""Tests for `smtpeter.message.addresslist`."""

from __future__ import annotations

from email.headerregistry import Address
from email.utils import formataddr

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.address import AddressError, Mailbox
from smtpeter.message.addresslist import NamedMailbox, parse_address_list

NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=60
).map(lambda name: " ".join(name.split(" ")).strip(" "))
ADDRESSES = st.from_regex(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z0-9]{1,5})?@[a-z0-9]{1,20}\.example", fullmatch=True
)
PIECES = st.sampled_from(
    [
        *'"\\()<>@,;:. \t[]aé',
        "\r\n",
        "\r\n ",
        "\0",
        "=?",
        "=?utf-8?q?a,b?=",
        "a@b.c",
        "group:",
        "[::]",
    ]
)


def read(text: str) -> list[tuple[str, str]]:
    return [(each.name, str(each.mailbox)) for each in parse_address_list(text)]


class AcceptedTests(SynchronousTestCase):
    """What is read, and as what."""

    def test_bare_address(self) -> None:
        """An address alone has no name."""
        self.assertEqual([("", "kees@mailbox.example")], read("kees@mailbox.example"))

    def test_name_and_address(self) -> None:
        """A name stands before an address in angle brackets."""
        self.assertEqual([("Noor", "noor@shop.example")], read("Noor <noor@shop.example>"))

    def test_list(self) -> None:
        """A comma in quotes belongs to the name, one outside separates addresses."""
        self.assertEqual(
            [("Doe, Jan", "jan@x.example"), ("", "ria@x.example")],
            read('"Doe, Jan" <jan@x.example>, ria@x.example'),
        )

    def test_names_as_mailers_write_them(self) -> None:
        """Dots, an @, brackets and comments may stand in a name without quotes."""
        for name in ("J. Doe", "kees@mailbox.example", "[Team] Noor", "Noor (Sales)", "Noë 🎈"):
            self.assertEqual([(name, "a@b.example")], read(f"{name} <a@b.example>"))

    def test_encoded_words_are_left(self) -> None:
        """An encoded-word stays encoded, also with a comma or a parenthesis in it."""
        name = "=?utf-8?q?Doe,_J_(x)?="
        self.assertEqual([(name, "a@b.example")], read(f"{name} <a@b.example>"))

    def test_comment_as_name(self) -> None:
        """A comment behind or before the address is its name when there is no other."""
        for text in ("a@b.example (Noor)", "<a@b.example> (Noor)", "(Noor) <a@b.example>"):
            self.assertEqual([("Noor", "a@b.example")], read(text))
        self.assertEqual([("Ria", "a@b.example")], read("Ria <a@b.example> (Noor)"))

    def test_nested_comment(self) -> None:
        """Comments nest, and a backslash takes the meaning from a parenthesis."""
        self.assertEqual([(r"a (b) )", "a@b.example")], read(r"a@b.example (a (b) \))"))

    def test_quoted_pairs(self) -> None:
        """A backslash in a quoted name stands for the character after it."""
        self.assertEqual([('a"b\\', "a@b.example")], read(r'"a\"b\\" <a@b.example>'))

    def test_groups(self) -> None:
        """A group gives its members; its end may be missing."""
        expected = [("", "a@b.example"), ("C", "c@d.example"), ("", "e@f.example")]
        self.assertEqual(expected, read("Friends: a@b.example, C <c@d.example>;, e@f.example"))
        self.assertEqual([("", "a@b.example")], read("Friends: a@b.example"))

    def test_white_space(self) -> None:
        """Lines may be folded, and blanks may stand around dots and the @."""
        self.assertEqual([("A B", "a@b.example")], read("A\r\n\t B <a@b.example>"))
        self.assertEqual([("", "a.b@c.example")], read("a . b @\r\n c . example"))

    def test_source_route(self) -> None:
        """An obsolete source route is passed over."""
        self.assertEqual([("X", "a@b.example")], read("X <@c.example,@d.example: a@b.example>"))

    def test_empty_elements(self) -> None:
        """Commas with nothing between them are passed over."""
        self.assertEqual(
            [("", "a@b.example"), ("", "c@d.example")], read(",a@b.example,, c@d.example,")
        )

    def test_quoted_local_part(self) -> None:
        """A local part in quotes may hold brackets and commas."""
        self.assertEqual([("X", '"a>,b"@c.example')], read('X <"a>,b"@c.example>'))


class RefusedTests(SynchronousTestCase):
    """What is not read, and what is said about it."""

    def assert_refused(self, text: str, reason: str) -> None:
        error = self.assertRaises(AddressError, parse_address_list, text)
        self.assertIn(reason, str(error))

    def test_no_address(self) -> None:
        """A text without any address is refused."""
        for text in ("", "  ", ",,", "(only a comment)", "undisclosed-recipients:;"):
            self.assert_refused(text, "it holds no address")

    def test_no_at(self) -> None:
        """A name where an address should be is named in the error."""
        self.assert_refused("Doe, Jan <jan@x.example>", "'Doe' is no address: it has no @")
        self.assert_refused("Jan <>", "it has no @")

    def test_missing_comma(self) -> None:
        """Two addresses need a comma between them."""
        self.assert_refused("a@b.example c@d.example", "is not one address")
        self.assert_refused("<a@b.example> c", "a comma is missing between <a@b.example> and 'c'")

    def test_name_without_brackets(self) -> None:
        """A name is never glued to an address that stands without brackets."""
        self.assert_refused("Joe a@b.example", "'Joe a@b.example' is not one address")
        self.assert_refused('"Joe" a@b.example', "is not one address")

    def test_not_closed(self) -> None:
        """Quotes, comments and brackets have an end."""
        self.assert_refused('"Noor <a@b.example>', "a quote is not closed")
        self.assert_refused("a@b.example (Noor", "a comment is not closed")
        self.assert_refused("Noor <a@b.example", "an angle bracket is not closed")

    def test_line_breaks(self) -> None:
        """A line break that folds nothing is refused, wherever it stands."""
        for text in ("A\r\nBcc: <a@b.example>", '"A\nB" <a@b.example>', "a@b.example\r\n"):
            self.assert_refused(text, "a line break or another control character")

    def test_long_texts_are_cut(self) -> None:
        """An error shows only the beginning of what it is about."""
        error = self.assertRaises(AddressError, parse_address_list, "x" * 10000)
        self.assertLess(len(str(error)), 200)


class PropertyTests(SynchronousTestCase):
    """What holds for all texts."""

    @given(st.lists(PIECES, max_size=30).map("".join))
    def test_any_text(self, text: str) -> None:
        """Every text gives addresses or an AddressError; addresses hold no line break."""
        try:
            mailboxes = parse_address_list(text)
        except AddressError:
            return
        self.assertTrue(mailboxes)
        for each in mailboxes:
            self.assertEqual(each.mailbox, Mailbox.parse(str(each.mailbox)))
            self.assertNotRegex(each.name, r"[\r\n]")

    @given(st.lists(st.tuples(NAMES, ADDRESSES), min_size=1, max_size=5))
    def test_written_by_the_standard_library(self, pairs: list[tuple[str, str]]) -> None:
        """A list that another implementation wrote is read back."""
        text = ", ".join(str(Address(name, addr_spec=address)) for name, address in pairs)
        self.assertEqual(pairs, read(text))

    @given(NAMES, ADDRESSES)
    def test_quick_way(self, name: str, address: str) -> None:
        """A single address is read the same as in a list."""
        text = formataddr((name, address)) if name.isascii() else f"{name} <{address}>"
        try:
            alone = parse_address_list(text)
        except AddressError:
            self.assertRaises(AddressError, parse_address_list, f"{text},")
        else:
            self.assertEqual(alone, parse_address_list(f"{text},"))

    def test_hostile_lengths(self) -> None:
        """Long runs of what might be the start of something do not take quadratic steps."""
        starts = ['"', "(", "[a", "=?a?q?", "<", ",", '"a" ', "()", "\\", ":", ";", "@:", "=?", " "]
        for start in starts:
            self.assertRaises(AddressError, parse_address_list, start * (20_000 // len(start)))
        many = parse_address_list("a@b.example," * 5_000)
        self.assertEqual({NamedMailbox("", Mailbox.parse("a@b.example"))}, set(many))
