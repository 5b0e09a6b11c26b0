"""xtext."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.smtp import xtext

PRINTABLE = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x7f").filter(
        lambda character: character >= " "
    )
)


class EncodeTests(SynchronousTestCase):
    """Writing xtext."""

    def test_plain(self) -> None:
        """What needs no encoding stays as it is."""
        self.assertEqual("kees@mailbox.example", xtext.encode("kees@mailbox.example"))

    def test_plus_equals_blank(self) -> None:
        """Plus, equals sign and blank are written as two capital hexadecimal digits."""
        self.assertEqual("a+2Bb+3Dc+20d", xtext.encode("a+b=c d"))

    def test_outside_ascii(self) -> None:
        """A character outside ASCII becomes the octets of its UTF-8."""
        self.assertEqual("+C3+BC", xtext.encode("ü"))

    @given(PRINTABLE)
    def test_round_trip(self, text: str) -> None:
        """What was encoded is ASCII without blanks, and decodes to itself."""
        encoded = xtext.encode(text)
        self.assertTrue(encoded.isascii())
        self.assertNotIn(" ", encoded)
        self.assertNotIn("=", encoded)
        self.assertEqual(text, xtext.decode(encoded))


class DecodeTests(SynchronousTestCase):
    """Reading xtext."""

    def test_refused(self) -> None:
        """Surplus, broken and small-letter encodings, blanks and controls are refused."""
        for text in ("a=b", "a b", "+", "a+2", "+2b", "+GG", "ü", "a\r\n", "a\n", "+0D+0A", "+00",
                     "+7F", "+FF", "+C3"):  # fmt: skip
            with self.assertRaises(xtext.XtextError, msg=repr(text)):
                xtext.decode(text)

    def test_length_is_no_matter(self) -> None:
        """A million characters that fail at the very end are still refused."""
        with self.assertRaises(xtext.XtextError):
            xtext.decode("+41" * 300_000 + "+")

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Any text is either decoded or refused, and what is decoded is printable."""
        try:
            decoded = xtext.decode(text)
        except xtext.XtextError:
            return
        self.assertFalse(any(character < " " or character == "\x7f" for character in decoded))
