"""What the portal takes and what it gives."""

from __future__ import annotations

from attrs import frozen
from twisted.cred.credentials import ICredentials
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface, implementer

from smtpeter.message.envelope import Accepted, Submission


class IBearerToken(ICredentials):
    """A REST token (RFC 6750)."""

    token = Attribute("The token as presented, a str.")


@implementer(IBearerToken)
@frozen
class BearerToken:
    """A REST token as a client presented it."""

    token: str


class ISender(Interface):
    """The avatar of both front doors: somebody who has logged in."""

    account_id = Attribute("The account's number, an int.")
    may_send = Attribute("Whether the account has permission to send, a bool.")

    def submit(submission: Submission) -> Deferred[Accepted]:
        """
        Store one message for each recipient; fires after the commit that holds them.

        Fails with `smtpeter.message.reply.Refused` when it cannot be taken.
        """
