"""AUTH PLAIN and LOGIN."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.smtp.sasl import (
    CANCELLED,
    INVALID,
    NOT_BASE64,
    UNKNOWN_MECHANISM,
    Credentials,
    SaslError,
    exchange,
)

NOOR = Credentials("noor", "pass word")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def outcome(mechanism: str, initial: str | None, *responses: str) -> list[object]:
    """The challenges, then the credentials or the reply that refuses them."""
    told: list[object] = []
    try:
        steps = exchange(mechanism, initial)
        told.append(next(steps))
        for response in responses:
            told.append(steps.send(response))  # noqa: PERF401 - what was told stays told
    except StopIteration as end:
        told.append(end.value)
    except SaslError as error:
        told.append(error.reply)
    return told


class PlainTests(SynchronousTestCase):
    """PLAIN (RFC 4616)."""

    def test_initial_response(self) -> None:
        """All may come with the command."""
        self.assertEqual([NOOR], outcome("PLAIN", "AG5vb3IAcGFzcyB3b3Jk"))

    def test_challenge(self) -> None:
        """Without an initial response the challenge is empty."""
        self.assertEqual(["", NOOR], outcome("PLAIN", None, "AG5vb3IAcGFzcyB3b3Jk"))

    def test_identity(self) -> None:
        """The authorization identity is empty or the user name: nobody acts for others."""
        self.assertEqual([NOOR], outcome("PLAIN", encoded("noor\0noor\0pass word")))
        self.assertEqual([INVALID], outcome("PLAIN", encoded("kees\0noor\0pass word")))
        self.assertEqual([INVALID], outcome("PLAIN", encoded("Noor\0noor\0pass word")))

    def test_fields(self) -> None:
        """There are three fields, neither more nor fewer."""
        for text in ("", "noor", "noor\0pass word", "\0noor\0pass\0word", "\0\0\0"):
            self.assertEqual([INVALID], outcome("PLAIN", encoded(text) or "="), text)
        self.assertEqual([INVALID], outcome("PLAIN", "="))
        self.assertEqual(["", INVALID], outcome("PLAIN", None, ""))

    @given(TEXT, TEXT)
    def test_any_text(self, username: str, password: str) -> None:
        """User name and password are exactly what was sent; no blank is lost."""
        self.assertEqual(
            [Credentials(username, password)],
            outcome("PLAIN", encoded(f"\0{username}\0{password}")),
        )


class LoginTests(SynchronousTestCase):
    """LOGIN."""

    def test_plain_form(self) -> None:
        """User name and password are asked for."""
        self.assertEqual(
            ["VXNlcm5hbWU6", "UGFzc3dvcmQ6", NOOR],
            outcome("LOGIN", None, "bm9vcg==", "cGFzcyB3b3Jk"),
        )

    def test_initial_response(self) -> None:
        """The user name may come with the command."""
        self.assertEqual(["UGFzc3dvcmQ6", NOOR], outcome("LOGIN", "bm9vcg==", "cGFzcyB3b3Jk"))

    def test_nul(self) -> None:
        """A NUL is in neither."""
        self.assertEqual(
            ["UGFzc3dvcmQ6", INVALID], outcome("LOGIN", encoded("no\0or"), encoded("x"))
        )
        self.assertEqual(
            ["UGFzc3dvcmQ6", INVALID], outcome("LOGIN", encoded("noor"), encoded("\0"))
        )

    @given(TEXT, TEXT)
    def test_any_text(self, username: str, password: str) -> None:
        """User name and password are exactly what was sent."""
        self.assertEqual(
            Credentials(username, password),
            outcome("LOGIN", encoded(username), encoded(password))[-1],
        )


class ErrorTests(SynchronousTestCase):
    """What goes wrong in either."""

    def test_cancelled(self) -> None:
        """An asterisk ends the exchange at any point."""
        self.assertEqual(["", CANCELLED], outcome("PLAIN", None, "*"))
        self.assertEqual([CANCELLED], outcome("PLAIN", "*"))
        self.assertEqual(["VXNlcm5hbWU6", CANCELLED], outcome("LOGIN", None, "*"))
        self.assertEqual(["UGFzc3dvcmQ6", CANCELLED], outcome("LOGIN", "bm9vcg==", "*"))

    def test_not_base64(self) -> None:
        """base64 is read strictly (RFC 4648 section 3.3)."""
        for response in ("!", "!?AG5vb3IAcGFzcyB3b3Jk", "AG5vb3IAcGFzcyB3b3J", "AG5 vb3I=", "ü",
                         "A", "A===", "==", "AAAA=AAA", "\ufffd"):  # fmt: skip
            self.assertEqual([NOT_BASE64], outcome("PLAIN", response), response)
            self.assertEqual(["", NOT_BASE64], outcome("PLAIN", None, response), response)

    def test_not_utf8(self) -> None:
        """Credentials that are not UTF-8 fit nobody."""
        self.assertEqual([INVALID], outcome("PLAIN", base64.b64encode(b"\0\xff\0x").decode()))

    def test_unknown_mechanism(self) -> None:
        """There are two mechanisms."""
        for mechanism in ("CRAM-MD5", "XOAUTH2", "EXTERNAL", "ANONYMOUS"):
            self.assertEqual([UNKNOWN_MECHANISM], outcome(mechanism, None))

    def test_secret(self) -> None:
        """A password shows in no representation."""
        self.assertNotIn("pass word", repr(NOOR))
