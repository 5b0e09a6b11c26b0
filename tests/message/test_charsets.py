"""Names of charsets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.charsets import codec, extends_ascii


class CodecTests(SynchronousTestCase):
    """Python's codecs by the names that mail has for them."""

    def test_known(self) -> None:
        """Names are known in any case and with any marks between their parts."""
        for charset, expected in (
            ("UTF-8", "utf_8"), ("utf8", "utf_8"), ("us-ascii", "ascii"), ("latin1", "latin_1"),
            ("ISO-8859-1", "latin_1"), ("iso-8859-15", "iso8859_15"), ("Windows-1252", "cp1252"),
            (" ANSI_X3.4-1968", "ascii"), ("utf-16le", "utf_16_le"), ("koi8-u", "koi8_u"),
            ("iso-2022-jp", "iso2022_jp"), ("gb2312", "gb2312"), ("windows-874", "cp874"),
        ):  # fmt: skip
            self.assertEqual(expected, codec(charset), charset)
            "".encode(expected)

    def test_unknown(self) -> None:
        """What is unknown, or is no charset, is none."""
        for charset in ("", "x-unknown", "base64", "rot13", "hex", "idna", "unicode_escape", "\0"):
            self.assertIsNone(codec(charset), charset)

    def test_ascii(self) -> None:
        """Most charsets extend ASCII, and some do not."""
        for name in ("utf_8", "latin_1", "cp1252", "cp932", "gb18030", "iso2022_jp"):
            self.assertTrue(extends_ascii(name), name)
        for name in ("utf_16", "utf_16_le", "utf_32", "cp037", "utf_7", "hz"):
            self.assertFalse(extends_ascii(name), name)
