"""Codes and reasons in what servers say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.incoming.diagnostics import (
    DIAGNOSTIC_CHARACTERS,
    REASONS,
    diagnostic_line,
    enhanced_status,
    reply_code,
    status_in_words,
)


class CodeTests(SynchronousTestCase):
    """Reply codes, and numbers that are none."""

    def test_codes(self) -> None:
        for text, code in (
            ("550 5.1.1 no", 550),
            ("<<< 421 later", 421),
            ("host mx[203.0.113.9] said: 554 5.7.1 no", 554),
            ("SMTP error from remote server: 552 full", 552),
            ("Remote host said: 550 no", 550),
            ("550: 5.1.1 <a@b>: no", 550),
            ("unknown (550).", 550),
            ("ERROR_CODE :550, no", 550),
            ("[SMTP Error Code 550]", 550),
            ("(reason: 550 5.2.2 Over quota)", 550),
            ("550", 550),
        ):
            self.assertEqual(code, reply_code(text), text)

    def test_no_codes(self) -> None:
        for text in (
            "", "250 ok", "203.0.113.550 said", "port 587", "mx[192.0.2.1]:587: refused",
            "id 550abc", "error: 512 kb", "room 550 is upstairs", "2550 5", "tel. 0555-550",
            "680 x",
        ):  # fmt: skip
            self.assertEqual(0, reply_code(text), text)

    def test_statuses(self) -> None:
        for text, status in (
            ("550 5.1.1 no", "5.1.1"), ("(#4.4.1)", "4.4.1"), ("no such user (5.7.26).", "5.7.26"),
            ("2.0.0 ok", ""), ("5.6.7.8", ""), ("v5.1.2", ""), ("5.5.2653", ""), ("15.1.1", ""),
            ("5.9.1", ""), ("https://x.example/5.1.1", ""), ("mx-5.1.1", ""), ("", ""),
        ):  # fmt: skip
            self.assertEqual(status, enhanced_status(text), text)


class ReasonTests(SynchronousTestCase):
    """What words mean."""

    def test_reasons(self) -> None:
        for text, status in (
            ("User unknown in virtual mailbox table", "5.1.1"),
            ("mailbox full", "x.2.2"),
            ("The mailbox\nis full", "x.2.2"),
            ("Host or domain name not found", ""),
            ("Domain does not exist", "5.1.2"),
            ("Sender domain does not exist", "x.1.8"),
            ("Service unavailable; client blocked using dnsbl.example", "x.7.1"),
            ("The account is disabled", "x.2.1"),
            ("too many hops", "x.4.6"),
            ("connection timed out", "4.4.1"),
            ("Message too large", "x.3.4"),
            ("Das Postfach ist voll", "x.2.2"),
            ("It is raining", ""),
        ):
            self.assertEqual(status, status_in_words(text), text)

    def test_names_say_nothing(self) -> None:
        """Words within addresses, names of hosts and of pages are no reason."""
        for name in ("<spam@x.example>", "virus.example.com", "https://x.example/mailbox-full"):
            self.assertEqual("5.1.1", status_in_words(f"{name}: user unknown"))
            self.assertEqual("", status_in_words(f"see {name}"))

    def test_table(self) -> None:
        """Each reason is an enhanced status code, and no phrase stands for two."""
        phrases: list[str] = []
        for reason in REASONS:
            self.assertRegex(reason.status, r"\A[x45]\.[0-7]\.[0-9]{1,2}\Z")
            phrases += reason.phrases
        self.assertEqual(sorted(set(phrases)), sorted(phrases))


class LineTests(SynchronousTestCase):
    """What was said, on one line."""

    def test_continued(self) -> None:
        self.assertEqual(
            "550 5.1.1 a b c", diagnostic_line("550-5.1.1 a\n550-5.1.1 b\n550 5.1.1 c")
        )
        self.assertEqual("550 a b", diagnostic_line("550-a\r\n550 b"))
        self.assertEqual("550 a 550 b", diagnostic_line("550 a\n550 b"))

    @given(st.text(max_size=300))
    def test_any_text(self, text: str) -> None:
        line = diagnostic_line(text * 10)
        self.assertTrue(line.isprintable())
        self.assertLessEqual(len(line), DIAGNOSTIC_CHARACTERS)
