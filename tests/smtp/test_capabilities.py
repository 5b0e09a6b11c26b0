"""What servers offer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.reply import Reply
from smtpeter.smtp.capabilities import Capabilities


def offered(*lines: str) -> Capabilities:
    """The capabilities in an EHLO reply with these lines."""
    return Capabilities.from_ehlo(Reply(250, "", "\n".join(lines)))


class CapabilitiesTests(SynchronousTestCase):
    """The reply to EHLO."""

    def test_any_case(self) -> None:
        """Keywords are known in capitals and in small letters."""
        expected = Capabilities(
            starttls=True, pipelining=True, chunking=True, eightbitmime=True, dsn=True
        )
        lines = ("starttls", "Pipelining", "Chunking", "8BitMime", "dsn")
        self.assertEqual(expected, offered("mx", *lines))

    def test_first_line(self) -> None:
        """The first line names the server and offers nothing."""
        self.assertEqual(Capabilities(), offered("STARTTLS PIPELINING"))
        self.assertEqual(Capabilities(), offered("PIPELINING"))

    def test_size(self) -> None:
        """SIZE is read with and without a limit; a limit that is no number is none."""
        self.assertEqual(Capabilities(size=True, size_limit=1000), offered("mx", "SIZE 1000"))
        for line in ("SIZE", "SIZE 0", "SIZE many", "SIZE ²"):
            self.assertEqual(Capabilities(size=True), offered("mx", line), line)

    def test_auth(self) -> None:
        """Mechanisms are joined from both spellings of AUTH."""
        expected = Capabilities(auth=frozenset({"PLAIN", "LOGIN"}))
        self.assertEqual(expected, offered("mx", "AUTH plain", "AUTH=LOGIN"))
        self.assertEqual(expected, offered("mx", "auth=LOGIN PLAIN"))

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """No text that a reply can hold is an error."""
        self.assertIsInstance(offered(text), Capabilities)
