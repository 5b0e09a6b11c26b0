"""The portal as a whole, and the senders it gives."""

from __future__ import annotations

from typing import Any

from twisted.cred.credentials import ICredentials, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smtpeter.accounts.checker import PasswordChecker, TokenChecker
from smtpeter.accounts.identities import IDENTITY_SECONDS, Identities
from smtpeter.accounts.interfaces import BearerToken, ISender, SenderInfo
from smtpeter.accounts.passwords import token_digest
from smtpeter.accounts.realm import SenderRealm
from smtpeter.accounts.verifying import PasswordVerifier
from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content
from smtpeter.message.envelope import Envelope, Recipient, Submission, Trace
from smtpeter.message.features import ALL_ON, REST_DEFAULTS, Features
from smtpeter.message.reply import Refused
from smtpeter.store import accounts as store
from tests.accounts.fakes import COST, NOW, MemoryIntake, MemoryStore, Threads

KEES = Recipient(Mailbox.parse("kees@mailbox.example"), "kees@mailbox.example")
SUBMISSION = Submission(
    Envelope(None, (KEES,)), Content((), 0), Trace("desk", "192.0.2.1", "ESMTPSA")
)


class RealmTests(SynchronousTestCase):
    """Logins through one portal, and submissions by whom it gave."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore(self)
        self.threads = Threads()
        self.intake = MemoryIntake()
        identities = Identities(self.store, self.clock.seconds)
        verifier = PasswordVerifier(self.threads.in_thread, self.clock.seconds, cost=COST)
        self.realm = SenderRealm(identities, self.intake)
        self.portal = Portal(
            self.realm, [PasswordChecker(identities, verifier), TokenChecker(identities)]
        )
        self.noor = self.store.account("noor@shop.example")
        self.store.login(self.noor, "abc123", features=ALL_ON)
        self.token = store.add_token(
            self.store.connection, self.noor.id, token_digest("Abc123"), NOW, label="shop"
        )

    def begin_login(self, credentials: ICredentials) -> Deferred[Any]:
        return self.portal.login(credentials, None, ISender)

    def sender(self, credentials: ICredentials) -> ISender:
        logging_in = self.begin_login(credentials)
        self.threads.run()
        interface, avatar, logout = self.successResultOf(logging_in)
        self.assertIs(ISender, interface)
        verifyObject(ISender, avatar)
        self.addCleanup(logout)
        sender: ISender = avatar
        return sender

    def by_login(self) -> ISender:
        return self.sender(UsernamePassword(b"abc123", b"pass word"))

    def who(self, credentials: ICredentials) -> SenderInfo:
        """Who the intake hears of when somebody with these credentials submits."""
        self.successResultOf(self.sender(credentials).submit(SUBMISSION))
        who, submission = self.intake.taken[-1]
        self.assertIs(SUBMISSION, submission)
        return who

    def assertRefused(
        self, submitting: Deferred[Any], code: int, enhanced: str, status: int
    ) -> str:
        refused = self.failureResultOf(submitting, Refused).value
        reply = refused.reply
        self.assertEqual((code, enhanced, status), (reply.code, reply.enhanced, refused.status))
        self.assertEqual([], self.intake.taken)
        return str(reply.text)

    def test_interface(self) -> None:
        """The realm is one of cred's, and knows senders only."""
        verifyObject(IRealm, self.realm)
        with self.assertRaises(NotImplementedError):
            self.realm.requestAvatar(b"login:1", None, IRealm)

    def test_login(self) -> None:
        """Who logs in to SMTP submits with the features of the login."""
        who = self.who(UsernamePassword(b"abc123", b"pass word"))
        self.assertEqual(SenderInfo(self.noor.id, "smtp", "abc123", ALL_ON, "login:1"), who)

    def test_account(self) -> None:
        """Who logs in by the account itself submits with every feature off."""
        who = self.who(UsernamePassword(b"noor@shop.example", b"pass word"))
        self.assertEqual(
            SenderInfo(self.noor.id, "smtp", "noor@shop.example", Features(), "account:1"), who
        )

    def test_token(self) -> None:
        """Who shows a token submits with the defaults of REST."""
        who = self.who(BearerToken("Abc123"))
        self.assertEqual(SenderInfo(self.noor.id, "rest", "shop", REST_DEFAULTS, "token:1"), who)

    def test_sender_tells_its_account(self) -> None:
        """A sender tells which account it is of and whether that may send."""
        sender = self.by_login()
        self.assertEqual((self.noor.id, True), (sender.account_id, sender.may_send))

    def test_answer_of_the_intake(self) -> None:
        """What the intake answers is what the sender answers."""
        accepted = self.successResultOf(self.by_login().submit(SUBMISSION))
        self.assertEqual(("7hQx2LmPzR9aTc04",), accepted.ids)

    def test_without_permission(self) -> None:
        """An account without permission logs in, and its mail is refused with the reason."""
        store.set_may_send(self.store.connection, "noor@shop.example", may_send=False)
        sender = self.by_login()
        self.assertFalse(sender.may_send)
        text = self.assertRefused(sender.submit(SUBMISSION), 550, "5.7.1", 403)
        self.assertEqual("You do not have permission to send email", text)

    def test_permission_ends_in_a_session(self) -> None:
        """A second after permission was taken, sessions that are open cannot send either."""
        sender = self.by_login()
        store.set_may_send(self.store.connection, "noor@shop.example", may_send=False)
        self.clock.advance(IDENTITY_SECONDS)
        self.assertRefused(sender.submit(SUBMISSION), 550, "5.7.1", 403)

    def test_login_is_revoked_in_a_session(self) -> None:
        """A second after a login was revoked, its open sessions have to log in anew."""
        sender = self.by_login()
        store.revoke_login(self.store.connection, "abc123", NOW)
        self.clock.advance(IDENTITY_SECONDS)
        text = self.assertRefused(sender.submit(SUBMISSION), 530, "5.7.0", 401)
        self.assertEqual("Authentication required", text)

    def test_busy_sender_costs_one_read_a_second(self) -> None:
        """Any number of submissions within a second look into the store once."""
        sender = self.by_login()
        reads = self.store.reads
        for _ in range(10):
            self.successResultOf(sender.submit(SUBMISSION))
        self.assertEqual((reads, 10), (self.store.reads, len(self.intake.taken)))

    def test_store_is_away(self) -> None:
        """When nobody can tell whether a sender is still good, it is told to try later."""
        sender = self.by_login()
        self.clock.advance(IDENTITY_SECONDS)
        self.store.reachable = False
        self.assertRefused(sender.submit(SUBMISSION), 451, "4.3.0", 503)

    def test_revoked_while_its_password_was_checked(self) -> None:
        """A login that is revoked while its password waits to be hashed opens nothing."""
        logging_in = self.begin_login(UsernamePassword(b"abc123", b"pass word"))
        store.revoke_login(self.store.connection, "abc123", NOW)
        self.clock.advance(IDENTITY_SECONDS)
        self.threads.run()
        self.failureResultOf(logging_in, UnauthorizedLogin)

    def test_wrong_credentials(self) -> None:
        """The portal refuses what its checkers refuse."""
        self.failureResultOf(self.begin_login(BearerToken("abc123")), UnauthorizedLogin)

    def test_anonymous(self) -> None:
        """The avatar id that cred gives to nobody opens nothing."""
        self.failureResultOf(self.realm.requestAvatar((), None, ISender), UnauthorizedLogin)
