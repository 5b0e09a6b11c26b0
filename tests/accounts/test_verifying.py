from __future__ import annotations

import re

import bcrypt
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.accounts.interfaces import CheckUnavailable
from smtpeter.accounts.passwords import hash_password, matches
from smtpeter.accounts.verifying import REMEMBERED_SECONDS, PasswordVerifier
from tests.accounts.fakes import COST, Threads


class VerifierTests(SynchronousTestCase):
    """Checks beside the reactor thread, and the memory of those that succeeded."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.threads = Threads()
        self.verifier = PasswordVerifier(
            self.threads.in_thread, self.clock.seconds, cost=COST, max_waiting=3
        )
        self.stored = hash_password("pass word", COST)

    def succeed_once(self) -> None:
        checking = self.verifier.verify("pass word", self.stored)
        self.threads.run()
        self.assertTrue(self.successResultOf(checking))

    def test_check_waits_for_its_thread(self) -> None:
        """Nothing is hashed on the reactor thread: the answer comes from another."""
        right = self.verifier.verify("pass word", self.stored)
        wrong = self.verifier.verify("password", self.stored)
        self.assertNoResult(right)
        self.assertEqual(2, self.threads.run())
        self.assertEqual((True, False), (self.successResultOf(right), self.successResultOf(wrong)))

    def test_success_is_remembered(self) -> None:
        """For a minute the same login is answered at once, without another hash."""
        self.succeed_once()
        self.clock.advance(REMEMBERED_SECONDS - 0.01)
        self.assertTrue(self.successResultOf(self.verifier.verify("pass word", self.stored)))
        self.assertEqual(0, self.threads.run())

    def test_memory_ends(self) -> None:
        """After a minute the password is hashed again."""
        self.succeed_once()
        self.clock.advance(REMEMBERED_SECONDS)
        self.assertNoResult(self.verifier.verify("pass word", self.stored))
        self.assertEqual(1, self.threads.run())

    def test_failure_is_not_remembered(self) -> None:
        """A wrong password costs a hash each time it is tried."""
        for _ in range(2):
            checking = self.verifier.verify("wrong", self.stored)
            self.assertEqual(1, self.threads.run())
            self.assertFalse(self.successResultOf(checking))

    def test_changed_password_is_not_remembered(self) -> None:
        """Once another hash is stored, what was remembered of the old one lets nobody in."""
        self.succeed_once()
        checking = self.verifier.verify("pass word", hash_password("new word", COST))
        self.assertEqual(1, self.threads.run())
        self.assertFalse(self.successResultOf(checking))

    def test_remembered_success_is_of_one_password(self) -> None:
        """What is remembered of the right password helps no other one."""
        self.succeed_once()
        self.assertNoResult(self.verifier.verify("pass wore", self.stored))

    def test_same_checks_share_one_hash(self) -> None:
        """Logins that come together with the same password wait for the same hash."""
        checks = [self.verifier.verify("pass word", self.stored) for _ in range(20)]
        self.assertEqual(1, self.threads.run())
        self.assertEqual([True] * 20, [self.successResultOf(each) for each in checks])

    def test_one_who_leaves_disturbs_nobody(self) -> None:
        """When one of those who wait gives up, the others still get their answer."""
        leaving = self.verifier.verify("pass word", self.stored)
        staying = self.verifier.verify("pass word", self.stored)
        leaving.addErrback(lambda _cancelled: None)
        leaving.cancel()
        self.threads.run()
        self.assertTrue(self.successResultOf(staying))

    def test_waiting_checks_are_limited(self) -> None:
        """Beyond the limit a check fails at once, and there is room again once one is done."""
        for number in range(3):
            self.verifier.verify(f"wrong {number}", self.stored)
        refused = self.verifier.verify("pass word", self.stored)
        self.failureResultOf(refused, CheckUnavailable)
        self.assertEqual(3, self.threads.run())
        self.succeed_once()

    def test_remembered_passwords_pass_a_full_queue(self) -> None:
        """Who logged in a moment ago is let in while guesses fill the queue."""
        self.succeed_once()
        for number in range(3):
            self.verifier.verify(f"wrong {number}", self.stored)
        self.assertTrue(self.successResultOf(self.verifier.verify("pass word", self.stored)))

    def test_damaged_hash(self) -> None:
        """When what is stored is no hash, everybody who waits is told to try later."""
        checks: list[Deferred[bool]] = [self.verifier.verify("x", "junk") for _ in range(2)]
        self.threads.run()
        for each in checks:
            self.failureResultOf(each, CheckUnavailable)

    def test_memory_holds_no_secret(self) -> None:
        """Neither password nor stored hash can be found in what is remembered."""
        self.succeed_once()
        remembered = repr(vars(self.verifier._succeeded))
        self.assertNotIn("pass word", remembered)
        self.assertNotIn(self.stored, remembered)


class NobodyTests(SynchronousTestCase):
    """The hash that stands in for somebody who does not exist."""

    def setUp(self) -> None:
        self.threads = Threads()
        self.verifier = PasswordVerifier(self.threads.in_thread, Clock().seconds, cost=COST)

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_it_is_a_hash_that_fits_nothing(self, username: str) -> None:
        """It costs bcrypt the same work as a real one, and is wrong for every password."""
        stored = self.verifier.hash_for_nobody(username)
        self.assertTrue(re.fullmatch(r"\$2b\$04\$[./A-Za-z0-9]{53}", stored))
        self.assertEqual(len(bcrypt.hashpw(b"", bcrypt.gensalt(4))), len(stored))
        self.assertFalse(matches(username, stored))

    def test_it_belongs_to_the_name(self) -> None:
        """It stays the same for one name and differs between names, as real hashes do."""
        same, again, other = (self.verifier.hash_for_nobody(name) for name in ("a", "a", "b"))
        self.assertEqual(same, again)
        self.assertNotEqual(same, other)

    def test_it_cannot_be_foretold(self) -> None:
        """Another process gives the same name another hash."""
        other = PasswordVerifier(self.threads.in_thread, Clock().seconds, cost=COST)
        self.assertNotEqual(self.verifier.hash_for_nobody("a"), other.hash_for_nobody("a"))
