"""What the portal takes and what it gives."""

from __future__ import annotations

from twisted.cred.credentials import ICredentials
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface, implementer

from smtpeter.message.envelope import Accepted, Submission
from smtpeter.message.features import Features
from smtpeter.store.standing import PLAIN, Standing
from smtpeter.values import frozen


class IBearerToken(ICredentials):
    """A REST token (RFC 6750)."""

    token = Attribute("The token as presented, a str.")


@implementer(IBearerToken)
@frozen
class BearerToken:
    """A REST token as a client presented it."""

    token: str


class CheckUnavailable(Exception):
    """Whether the credentials are good cannot be told now; the client may try again later."""


class ISender(Interface):
    """The avatar of both front doors: somebody who has logged in."""

    account_id = Attribute("The account's number, an int.")
    may_send = Attribute("Whether the account had permission to send at the login, a bool.")

    def submit(submission: Submission) -> Deferred[Accepted]:
        """
        Store one message for each recipient; fires after the commit that holds them.

        Fails with `smtpeter.message.reply.Refused` when it cannot be taken.
        """


@frozen
class SenderInfo:
    """
    Who submits, as far as the messages remember it.

    Attributes:
        origin: "smtp" or "rest".
        login: the user name, the account's e-mail address, or the token's label.
        features: what holds for messages that do not say otherwise.
        payer: whose quotas hold, besides those of the account.
    """

    account_id: int
    origin: str
    login: str
    features: Features
    payer: str = ""
    standing: Standing = PLAIN


class IIntake(Interface):
    """Where the submissions of all senders go."""

    def submit(who: SenderInfo, submission: Submission) -> Deferred[Accepted]:
        """
        Store what somebody with permission to send hands over; fires after the commit.

        Fails with `smtpeter.message.reply.Refused` when it cannot be taken.
        """
