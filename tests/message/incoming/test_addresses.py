"""Addresses in running text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.incoming.addresses import addresses_in


class AddressTests(SynchronousTestCase):
    """Addresses in running text."""

    def test_found(self) -> None:
        """With quotes, brackets, letters of other scripts, and points around them."""
        for written in (
            "{}", "<{}>", "({})", '"{}"', "'{}'", "mailto:{}", "SMTP={}", "to {}.", "{}, or",
            "宛先{}へ", "\u2018{}\u2019", "[{}]:", "{}...", "rfc822;{}",
        ):  # fmt: skip
            for address in ("kees@mailbox.example", "o'brien+x=y@a-b.example", '"k s"@x.example'):
                text = written.format(address.replace(" ", "_"))
                found = [each.address for each in addresses_in(text)]
                self.assertEqual([address.replace(" ", "_")], found, text)

    def test_context(self) -> None:
        """What stands around is told without the marks."""
        (found,) = addresses_in("Your message to <kees@mailbox.example> could not")
        self.assertEqual(("Your message to", "could not"), (found.before, found.after))

    def test_none(self) -> None:
        for written in ("", "@", "a@", "@b", "kees at mailbox", "a @ b", "<@x.example>"):
            self.assertEqual([], list(addresses_in(written)), written)

    @given(st.text("ab@.<> \"'\\é宛", max_size=60))
    def test_any_text(self, written: str) -> None:
        """What is found stands in the text, has no blanks, and something on either side."""
        for each in addresses_in(written):
            self.assertIn(each.address, written)
            local, _, domain = each.address.rpartition("@")
            self.assertTrue(local and domain and " " not in each.address)
