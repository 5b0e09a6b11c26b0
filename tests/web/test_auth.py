"""Tests for `smtpeter.web.auth`."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.accounts.interfaces import CheckUnavailable
from smtpeter.message.envelope import Accepted
from smtpeter.web.auth import bearer_token, split_token
from tests.web.caller import MINIMAL, TOKEN, Caller, request


class SplitTokenTests(SynchronousTestCase):
    """The token in a query."""

    def test_anywhere(self) -> None:
        """The token is found and taken out wherever it stands."""
        for target, rest, token in (
            (b"/v1/send", b"/v1/send", None),
            (b"/v1/send?", b"/v1/send?", None),
            (b"/v1/send?access_token=T", b"/v1/send", "T"),
            (b"/x?a=1&access_token=T", b"/x?a=1", "T"),
            (b"/x?access_token=T&a=1&b", b"/x?a=1&b", "T"),
            (b"/x?access%5Ftoken=T%2B", b"/x", "T+"),
            (b"/x?access_token=A&access_token=B", b"/x", "B"),
            (b"/x?access_token", b"/x", ""),
            (b"/x?access_token=%ff", b"/x", "\ufffd"),
            (b"/x?a=access_token=T", b"/x?a=access_token=T", None),
        ):
            self.assertEqual((rest, token), split_token(target))


class BearerTokenTests(SynchronousTestCase):
    """The token in the Authorization field."""

    def test_bearer(self) -> None:
        """The scheme is written in any case; other schemes hold no token."""
        for value, token in (
            ("Bearer T", "T"),
            ("bearer  T ", "T"),
            ("Bearer", None),
            ("Bearer ", None),
            ("Basic T", None),
            ("", None),
            (None, None),
        ):
            self.assertEqual(token, bearer_token(value))


class LoginTests(SynchronousTestCase):
    """Who may call."""

    def setUp(self) -> None:
        self.caller = Caller()

    def test_ways_to_present_it(self) -> None:
        """Query and Authorization field are both taken, the query first."""
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        wrong = {"Authorization": "Bearer wrong"}
        good = f"/v1/send?a=1&access_token={TOKEN}&b=2"
        self.assertEqual(200, self.caller.post(MINIMAL, target=good).status)
        self.assertEqual(200, self.caller.post(MINIMAL, target="/v1/send", headers=bearer).status)
        self.assertEqual(200, self.caller.post(MINIMAL, target=good, headers=wrong).status)
        bad = "/v1/send?access_token=wrong"
        self.assertEqual(401, self.caller.post(MINIMAL, target=bad, headers=bearer).status)

    def test_refused(self) -> None:
        """Without a good token the answer is 401, also when the body has one."""
        with_token = MINIMAL | {"access_token": TOKEN}
        for target in ("/v1/send", "/v1/send?access_token=", "/v1/send?access_token=wrong"):
            answer = self.caller.post(with_token, target=target)
            self.assertEqual((401, "Invalid access token"), (answer.status, answer.error))
            self.assertEqual("Bearer", answer.headers["www-authenticate"])
        self.assertEqual([], self.caller.sender.submissions)

    def test_before_the_body(self) -> None:
        """Nobody learns anything about a body without a good token."""
        answer = self.caller.call(b"{", "application/json", target="/v1/send")
        self.assertEqual(401, answer.status)

    def test_not_to_be_checked(self) -> None:
        """When the token cannot be checked the client is told to come back."""
        self.caller.tokens.failure = CheckUnavailable()
        answer = self.caller.post(MINIMAL)
        self.assertEqual(503, answer.status)
        self.assertIn("retry-after", answer.headers)

    def test_broken_check(self) -> None:
        """A check that fails unexpectedly is the same to the client, and logged."""
        self.caller.tokens.failure = ValueError()
        self.assertEqual(503, self.caller.post(MINIMAL).status)
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_no_permission(self) -> None:
        """An account without permission is told so before its body is read."""
        self.caller.sender.may_send = False
        answer = self.caller.call(b"{", "application/json")
        expected = (403, "You do not have permission to send email")
        self.assertEqual(expected, (answer.status, answer.error))
        self.assertEqual(1, self.caller.sender.logouts)

    def test_logout(self) -> None:
        """Each login is ended, once, behind the submission, whatever came of it."""
        result: Deferred[Accepted] = Deferred()
        self.caller.sender.result = result
        connection = self.caller.connect()
        body = b'{"recipient": "a@b.example", "mime": "From: a@b.example"}'
        connection.send(request(body, "application/json"))
        self.assertEqual(0, self.caller.sender.logouts)
        result.errback(ValueError())
        self.assertEqual(1, self.caller.sender.logouts)
        self.assertEqual(500, connection.answers()[0].status)
        self.flushLoggedErrors(ValueError)
        self.caller.call(b"{", "application/json")
        self.assertEqual(2, self.caller.sender.logouts)
