from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.events.sealing import Seal

SEAL = Seal()
TEXT = "203.0.113.9\nUser-Agent: Mozilla/5.0"


class SealTests(SynchronousTestCase):
    """What hides texts from other processes."""

    @given(st.text(st.characters()))
    def test_opened(self, text: str) -> None:
        """Any text is opened as it was closed, and closed into plain letters."""
        closed = SEAL.close(text)
        self.assertTrue(closed.isascii() and closed.isprintable())
        self.assertEqual(text, SEAL.open(closed))

    def test_hidden(self) -> None:
        """Nothing of a text is seen, not even that two are the same."""
        closed = [SEAL.close(TEXT) for _ in range(2)]
        self.assertNotEqual(*closed)
        for each in closed:
            self.assertNotIn(b"203.0", base64.b64decode(each))

    def test_another_process(self) -> None:
        """Another seal opens nothing."""
        self.assertIsNone(Seal().open(SEAL.close(TEXT)))

    @given(st.text() | st.binary().map(lambda octets: base64.b64encode(octets).decode()))
    def test_anything(self, text: str) -> None:
        """What was not closed is not opened."""
        self.assertIsNone(SEAL.open(text))
