"""Selectors that can wait to be read."""

from __future__ import annotations

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss.plainselectors import plain
from smtpeter.transform.inlinecss.selectors import Selector
from smtpeter.transform.inlinecss.selectortext import parse
from tests.transform.inlinecss.test_selectortext import SELECTOR_LIKE


class PlainTests(SynchronousTestCase):
    """What is plain, and what is known of it."""

    def test_not_plain(self) -> None:
        """What has to be read to know its kind is not plain."""
        for text in ("a:hover", "[a]", ":not(a)", "a::before", ".\\31", "a,b", "", "a >", "1"):
            self.assertIsNone(plain(text, caseless=False), text)

    @given(SELECTOR_LIKE)
    def test_plain(self, text: str) -> None:
        """What is plain means the same when it is read late."""
        for caseless in (False, True):
            selector = plain(text, caseless=caseless)
            if selector is not None:
                self.assertEqual(parse(text, caseless=caseless), selector.read(caseless=caseless))

    def test_subject(self) -> None:
        """A plain selector says what its subject must have."""
        for text, subject in (("a .b", ".b"), ("x > P", "p"), ("a.b#c", "#c"), ("a *", "")):
            selector = plain(text, caseless=False)
            assert selector is not None
            self.assertEqual(subject, selector.subject)
            self.assertIsInstance(selector.read(caseless=False), Selector)
