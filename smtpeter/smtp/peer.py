"""Whom a connection leads to, and what is told of it when something has come to an end."""

from __future__ import annotations

from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.message.reply import Reply
from smtpeter.values import frozen

TEXT_CHARACTERS = 1024  # of a remote reply, as kept


@frozen
class Peer:
    """
    The far end of a connection. The attributes are those of `Outcome`.

    Its methods make outcomes. `state` is the point in the dialogue, as in `Outcome`.
    """

    host: str = ""
    local_address: str = ""
    remote_address: str = ""
    tls: str = ""

    def delivered(self, reply: Reply, *, dsn_passed_on: bool) -> Outcome:
        """The server has taken the message."""
        return Outcome(
            Verdict.DELIVERED,
            "",
            "message",
            reply.code,
            reply.enhanced,
            reply.text[:TEXT_CHARACTERS],
            self.host,
            self.local_address,
            self.remote_address,
            self.tls,
            dsn_passed_on,
        )

    def refused(self, reply: Reply, state: str) -> Outcome:
        """The server said no: for now with a 4yz reply, for good with a 5yz."""
        return self.ended(
            Verdict.DEFERRED if reply.temporary else Verdict.FAILED,
            "error",
            state,
            reply.enhanced or f"{reply.code // 100}.0.0",
            reply.text,
            code=reply.code,
        )

    def timed_out(self, state: str) -> Outcome:
        """The server did not answer in time."""
        return self.ended(Verdict.DEFERRED, "timeout", state, "4.4.2", "no answer in time")

    def lost(self, state: str, text: str) -> Outcome:
        """The connection broke."""
        return self.ended(Verdict.DEFERRED, "lost", state, "4.4.2", text)

    def unproved(self, text: str) -> Outcome:
        """By its certificate the server is not the one that the mail is for."""
        return self.ended(Verdict.DEFERRED, "error", "starttls", "4.7.5", text)

    def invalid(self, state: str, text: str) -> Outcome:
        """What came back was not SMTP. A server under repair may speak it later."""
        return self.ended(Verdict.DEFERRED, "invalid", state, "4.5.0", text)

    def ended(
        self, verdict: Verdict, kind: str, state: str, status: str, text: str, *, code: int = 0
    ) -> Outcome:
        """Anything else. `kind` is the `type` of the outcome."""
        return Outcome(
            verdict,
            kind,
            state,
            code,
            status,
            text[:TEXT_CHARACTERS],
            self.host,
            self.local_address,
            self.remote_address,
            self.tls,
        )
