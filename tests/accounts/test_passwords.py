"""Secrets: made, hashed, and compared."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.accounts import passwords
from smtpeter.accounts.passwords import hash_password, matches
from tests.accounts.fakes import COST


class GeneratorTests(SynchronousTestCase):
    """What is made for operators."""

    def test_username(self) -> None:
        """A user name is twelve lower-case letters and digits."""
        self.assertRegex(passwords.new_username(), r"\A[a-z0-9]{12}\Z")

    def test_password(self) -> None:
        """A password is five groups of five, one space between, none of it easily misread."""
        for _ in range(50):
            self.assertRegex(
                passwords.new_password(), r"\A[a-hjkmnp-z2-9]{5}( [a-hjkmnp-z2-9]{5}){4}\Z"
            )

    def test_token(self) -> None:
        """A token is forty letters and digits, which nothing has to escape."""
        self.assertRegex(passwords.new_token(), r"\A[A-Za-z0-9]{40}\Z")

    def test_secrets_differ(self) -> None:
        """No secret comes twice."""
        for make in (passwords.new_username, passwords.new_password, passwords.new_token):
            self.assertEqual(100, len({make() for _ in range(100)}))

    def test_token_digest(self) -> None:
        """The digest of a token is SHA-256 in hexadecimal."""
        self.assertEqual(
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            passwords.token_digest("abc"),
        )


class HashTests(SynchronousTestCase):
    """What is stored of a password."""

    @settings(max_examples=25, deadline=None)
    @given(st.text(), st.text())
    def test_only_the_same_password_fits(self, one: str, other: str) -> None:
        """A hash fits its own password, whatever its characters and length, and no other."""
        stored = hash_password(one, COST)
        self.assertTrue(matches(one, stored))
        self.assertEqual(one == other, matches(other, stored))

    def test_every_octet_counts(self) -> None:
        """Blanks, what follows a NUL, and what lies beyond 72 octets tell passwords apart."""
        for one, other in (
            ("abcde fghij", "abcdefghij"),
            ("abcde ", "abcde"),
            ("abc\0def", "abc\0xyz"),
            ("x" * 100 + "a", "x" * 100 + "b"),
            ("e\u0301", "\u00e9"),
        ):
            self.assertFalse(matches(other, hash_password(one, COST)), one)

    def test_hash_tells_its_cost(self) -> None:
        """The stored text is bcrypt with the cost that was asked for."""
        self.assertTrue(hash_password("x", 5).startswith("$2b$05$"))
        self.assertEqual(12, passwords.BCRYPT_COST)

    def test_hashes_are_salted(self) -> None:
        """The same password has another hash each time."""
        self.assertNotEqual(hash_password("x", COST), hash_password("x", COST))
