"""The logins of one session: exchanges, checks, failures (RFC 4954)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import LoginFailed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.accounts.interfaces import ISender
from smtpeter.message.reply import Reply
from smtpeter.smtp import answers, sasl
from smtpeter.smtp.command import Auth
from smtpeter.smtp.surroundings import Surroundings

MAX_FAILURES = 3


class Login:
    """
    Finds out who the client is.

    `begin` and `respond` give the reply to a line of the client, or a Deferred of it.

    Args:
        address: the client's.
        welcome: called with the avatar when the client has logged in.
    """

    _log = Logger()

    def __init__(
        self, around: Surroundings, address: str, welcome: Callable[[ISender], None]
    ) -> None:
        self._around = around
        self._address = address
        self._welcome = welcome
        self._exchange: sasl.Exchange | None = None
        self._pending: Deferred[Reply] | None = None
        self._logout: Callable[[], None] | None = None
        self._failures = 0
        self._ended = False

    @property
    def exchanging(self) -> bool:
        """True when the client's next line is the response to a challenge."""
        return self._exchange is not None

    def begin(self, auth: Auth) -> Reply | Deferred[Reply]:
        """Obey AUTH."""
        try:
            self._exchange = sasl.exchange(auth.mechanism, auth.initial)
        except sasl.SaslError as error:
            return error.reply
        return self._tracked(self._advance(None))

    def respond(self, line: bytes) -> Reply | Deferred[Reply]:
        """Take the response to the challenge."""
        return self._tracked(self._advance(line.decode("ascii", "replace")))

    def abandon_exchange(self) -> None:
        """The response could not be read; what follows are commands again."""
        self._exchange = None

    def end(self) -> None:
        """The connection is gone: nobody waits for a check, and who was logged in is not."""
        self._ended = True
        if self._pending is not None:
            self._pending.cancel()
        if self._logout is not None:
            self._logout()

    def _advance(self, response: str | None) -> Reply | Deferred[Reply]:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        try:
            challenge = next(exchange) if response is None else exchange.send(response)
        except StopIteration as end:
            return self._check(end.value)
        except sasl.SaslError as error:
            return self._refuse("") if error.reply == sasl.INVALID else error.reply
        self._exchange = exchange
        return Reply(334, "", challenge)

    def _check(self, credentials: sasl.Credentials) -> Reply | Deferred[Reply]:
        username = credentials.username
        if self._around.login_limit.blocked(self._address, username):
            self._log.info(
                "login refused unchecked after many failures: {username!r} from {address}",
                username=username,
                address=self._address,
            )
            return answers.NOT_CHECKED
        presented = UsernamePassword(username.encode(), credentials.password.encode())
        login: Deferred[Any] = self._around.portal.login(presented, None, ISender)
        checked: Deferred[Reply] = login.addCallbacks(
            self._accept, self._not_accepted, callbackArgs=(username,), errbackArgs=(username,)
        )
        return checked

    def _tracked(self, result: Reply | Deferred[Reply]) -> Reply | Deferred[Reply]:
        """The same, remembered as long as it is open."""
        if isinstance(result, Deferred):
            self._pending = result
            result.addBoth(self._done)
        return result

    def _done(self, result: Reply | Failure) -> Reply | Failure:
        self._pending = None
        return result

    def _accept(self, avatar: tuple[Any, ISender, Callable[[], None]], username: str) -> Reply:
        _, sender, logout = avatar
        if self._ended:
            logout()
        else:
            self._logout = logout
            self._around.login_limit.succeeded(self._address, username)
            self._welcome(sender)
        return answers.WELCOME_BACK

    def _not_accepted(self, failure: Failure, username: str) -> Reply | Deferred[Reply]:
        if failure.check(LoginFailed):
            return self._refuse(username)
        if not self._ended:
            self._log.failure("a login could not be checked", failure)
        return answers.NOT_CHECKED

    def _refuse(self, username: str) -> Reply | Deferred[Reply]:
        """Count a failure; the answer is held back the longer the more there were."""
        self._failures += 1
        limit = self._around.login_limit
        limit.failed(self._address, username)
        self._log.info(
            "login failed: {username!r} from {address}", username=username, address=self._address
        )
        reply = answers.TOO_MANY_FAILURES if self._failures >= MAX_FAILURES else sasl.INVALID
        delay = limit.delay_seconds(self._address, username)
        if delay <= 0 or self._ended:
            return reply
        held_back: Deferred[Reply] = deferLater(self._around.clock, delay, lambda: reply)
        return held_back.addErrback(lambda _: reply)  # cancelled: the connection is gone
