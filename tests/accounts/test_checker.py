"""What the checkers let in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from smtpeter.accounts.checker import AvatarId, PasswordChecker, TokenChecker
from smtpeter.accounts.identities import Identities
from smtpeter.accounts.interfaces import BearerToken, CheckUnavailable
from smtpeter.accounts.passwords import token_digest
from smtpeter.accounts.verifying import PasswordVerifier
from smtpeter.store import accounts as store
from tests.accounts.fakes import COST, NOW, MemoryStore, Threads


@implementer(IUsernamePassword)
class TextCredentials:
    """Credentials of somebody who decoded them already."""

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.password = password

    def checkPassword(self, password: object) -> bool:
        """Compares with a password in clear text, which nobody here has."""
        raise NotImplementedError


class PasswordCheckerTests(SynchronousTestCase):
    """User names and passwords."""

    def setUp(self) -> None:
        clock = Clock()
        self.store = MemoryStore(self)
        self.threads = Threads()
        identities = Identities(self.store, clock.seconds)
        verifier = PasswordVerifier(self.threads.in_thread, clock.seconds, cost=COST, max_waiting=2)
        self.checker = PasswordChecker(identities, verifier)
        self.noor = self.store.account("noor@shop.example", "her own word")
        self.login = self.store.login(self.noor, "abc123")

    def check(self, username: bytes, password: bytes) -> Deferred[AvatarId]:
        """The answer, and none before a hash was computed."""
        answer = self.checker.requestAvatarId(UsernamePassword(username, password))
        self.assertNoResult(answer)
        self.assertEqual(1, self.threads.run())
        return answer

    def test_interface(self) -> None:
        """The checker is one of cred's, for user names with passwords."""
        verifyObject(ICredentialsChecker, self.checker)
        self.assertEqual((IUsernamePassword,), self.checker.credentialInterfaces)

    def test_login(self) -> None:
        """A login's user name and password give the avatar id of the login."""
        avatar_id = self.successResultOf(self.check(b"abc123", b"pass word"))
        self.assertEqual(b"login:%d" % self.login.id, avatar_id)

    def test_account(self) -> None:
        """An account's address, in any case, and its password give the avatar id of the account."""
        avatar_id = self.successResultOf(self.check(b"Noor@Shop.example", b"her own word"))
        self.assertEqual(b"account:%d" % self.noor.id, avatar_id)

    def test_text(self) -> None:
        """Credentials may be text instead of octets."""
        answer = self.checker.requestAvatarId(TextCredentials("abc123", "pass word"))
        self.threads.run()
        self.assertEqual(b"login:%d" % self.login.id, self.successResultOf(answer))

    def test_every_cause_looks_the_same(self) -> None:
        """Whatever is wrong with name or password costs one hash and is the same silent error."""
        for username, password in (
            (b"abc123", b"password"),
            (b"abc123", b"pass word "),
            (b"abc123", b" pass word"),
            (b"abc123", b"pass  word"),
            (b"abc123", b"PASS WORD"),
            (b"abc123", b""),
            (b"ABC123", b"pass word"),
            (b"abc123 ", b"pass word"),
            (b"abc123", b"her own word"),
            (b"noor@shop.example", b"pass word"),
            (b"nobody", b"pass word"),
            (b"nobody@shop.example", b"pass word"),
            (b"", b""),
            (b"abc\x00123", b"pass word"),
            (b"a" * 10_000, b"pass word"),
        ):
            failure = self.failureResultOf(self.check(username, password), UnauthorizedLogin)
            self.assertEqual("", failure.getErrorMessage(), username)

    def test_names_that_cannot_be(self) -> None:
        """A name with a NUL or of excessive length never reaches the database."""
        for username in (b"abc\x00123", b"a@\x00b.example", b"a" * 321):
            self.failureResultOf(self.check(username, b"pass word"), UnauthorizedLogin)
        self.assertEqual(0, self.store.reads)

    def test_revoked_login(self) -> None:
        """A revoked login fails like an unknown one, after the same work."""
        store.revoke_login(self.store.connection, "abc123", NOW)
        self.failureResultOf(self.check(b"abc123", b"pass word"), UnauthorizedLogin)

    def test_account_kept_from_smtp(self) -> None:
        """An account whose owner does not want it for SMTP fails like an unknown one."""
        store.set_smtp_account_login(self.store.connection, "noor@shop.example", allowed=False)
        self.failureResultOf(self.check(b"noor@shop.example", b"her own word"), UnauthorizedLogin)

    def test_account_without_permission(self) -> None:
        """Who may not send may still log in, and hears of it later."""
        store.set_may_send(self.store.connection, "noor@shop.example", may_send=False)
        self.successResultOf(self.check(b"abc123", b"pass word"))

    def test_not_utf8(self) -> None:
        """Octets that are no UTF-8 fit nobody."""
        for username, password in ((b"abc123", b"\xff"), (b"\xff", b"pass word")):
            answer = self.checker.requestAvatarId(UsernamePassword(username, password))
            self.failureResultOf(answer, UnauthorizedLogin)

    @given(st.binary(max_size=40), st.binary(max_size=40))
    def test_any_octets_are_refused(self, username: bytes, password: bytes) -> None:
        """Whatever octets arrive, the answer is no, never another error."""
        answer = self.checker.requestAvatarId(UsernamePassword(username, password))
        self.threads.run()
        self.failureResultOf(answer, UnauthorizedLogin)

    def test_password_of_many_characters(self) -> None:
        """Passwords beyond ASCII are compared as the characters they are."""
        self.store.login(self.noor, "other", "gr\u00fc\u00df dich")
        self.successResultOf(self.check(b"other", "gr\u00fc\u00df dich".encode()))

    def test_second_login_is_immediate(self) -> None:
        """Who logs in again within the minute waits neither for a hash nor for the store."""
        self.check(b"abc123", b"pass word")
        reads = self.store.reads
        again = self.checker.requestAvatarId(UsernamePassword(b"abc123", b"pass word"))
        self.assertEqual(b"login:%d" % self.login.id, self.successResultOf(again))
        self.assertEqual((0, reads), (self.threads.run(), self.store.reads))

    def test_store_is_away(self) -> None:
        """A store that cannot be reached is no wrong password."""
        self.store.reachable = False
        answer = self.checker.requestAvatarId(UsernamePassword(b"abc123", b"pass word"))
        self.failureResultOf(answer, CheckUnavailable)

    def test_too_many_checks(self) -> None:
        """A check that would have to wait too long is no wrong password either."""
        for password in (b"1", b"2"):
            self.checker.requestAvatarId(UsernamePassword(b"abc123", password))
        answer = self.checker.requestAvatarId(UsernamePassword(b"abc123", b"pass word"))
        self.failureResultOf(answer, CheckUnavailable)


class TokenCheckerTests(SynchronousTestCase):
    """REST tokens."""

    def setUp(self) -> None:
        self.store = MemoryStore(self)
        self.checker = TokenChecker(Identities(self.store, Clock().seconds))
        noor = self.store.account("noor@shop.example")
        self.token = store.add_token(self.store.connection, noor.id, token_digest("Abc123"), NOW)

    def check(self, token: str) -> Deferred[AvatarId]:
        return self.checker.requestAvatarId(BearerToken(token))

    def test_token(self) -> None:
        """A token gives its avatar id at once."""
        avatar_id = self.successResultOf(self.check("Abc123"))
        self.assertEqual(b"token:%d" % self.token.id, avatar_id)

    def test_other_texts(self) -> None:
        """Whatever is not exactly the token is refused."""
        for text in ("", "abc123", "Abc123 ", "Abc12", "\u00e4", "\udcff", "x" * 10_000, "a\0b"):
            self.failureResultOf(self.check(text), UnauthorizedLogin)

    def test_revoked_token(self) -> None:
        """A revoked token is refused."""
        store.revoke_token(self.store.connection, self.token.id, NOW)
        self.failureResultOf(self.check("Abc123"), UnauthorizedLogin)

    def test_store_is_away(self) -> None:
        """A store that cannot be reached is no wrong token."""
        self.store.reachable = False
        self.failureResultOf(self.check("Abc123"), CheckUnavailable)
