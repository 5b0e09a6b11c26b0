from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import Content
from smtpeter.message.dkim import sign
from tests.corpus.awkward import awkward_mails
from tests.scenarios.opendkim import results
from tests.verifying import delivered, published, signing_keys, verdicts

SELECTORS = ("zero", "one")


def signed_mails() -> dict[str, bytes]:
    """The awkward mails, signed, as they arrive."""
    now = time.time()
    keys = signing_keys()
    mails: dict[str, bytes] = {}
    for name, octets in awkward_mails().items():
        content = Content.from_blocks([octets])
        mails[name] = delivered(bytes(content.prepended(sign(content, keys, now))))
    return mails


def with_another_line(octets: bytes) -> bytes:
    """A message with more in its body; one without any gets it."""
    return octets + (b"more\r\n" if b"\r\n\r\n" in octets else b"\r\nmore\r\n")


class OracleTests(SynchronousTestCase):
    """What other people's programs say of our signatures on awkward mails."""

    def opendkim(self, mails: dict[str, bytes]) -> dict[str, tuple[str, ...]]:
        """Its results for both of our signatures."""
        found = results(list(mails.values()), published(signing_keys()))
        return {
            name: tuple(each.get(selector, "") for selector in SELECTORS)
            for name, each in zip(mails, found, strict=True)
        }

    def test_dkimpy(self) -> None:
        records = published(signing_keys())
        for name, octets in signed_mails().items():
            self.assertEqual([True, True], verdicts(octets, len(SELECTORS), records), name)

    def test_opendkim(self) -> None:
        mails = signed_mails()
        self.assertEqual(dict.fromkeys(mails, ("pass", "pass")), self.opendkim(mails))

    def test_opendkim_changed_body(self) -> None:
        """It does find out what was changed."""
        mails = {name: with_another_line(octets) for name, octets in signed_mails().items()}
        self.assertEqual(dict.fromkeys(mails, ("fail", "fail")), self.opendkim(mails))

    def test_opendkim_added_subject(self) -> None:
        """It does find out that a field was added, also where there was none before."""
        mails = {name: b"Subject: another\r\n" + octets for name, octets in signed_mails().items()}
        self.assertEqual(dict.fromkeys(mails, ("fail", "fail")), self.opendkim(mails))
