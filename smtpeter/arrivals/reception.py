"""Takes mail for addresses of our own from anybody, and stores it before it says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from smtpeter.arrivals.addresses import Ours, OwnAddresses
from smtpeter.intake import LARGE_HEADER_OCTETS, MAX_HOPS, TOO_MANY_HOPS, cannot_be_stored
from smtpeter.message.address import Mailbox
from smtpeter.message.bounceaddress import Flaw
from smtpeter.message.content import Content
from smtpeter.message.envelope import Accepted, Recipient, Submission
from smtpeter.message.features import Features
from smtpeter.message.reply import Refused, Reply
from smtpeter.store import arrivals
from smtpeter.store.arrivals import ARRIVAL, Arrival
from smtpeter.store.database import StoreError
from smtpeter.store.keys import KeySource
from smtpeter.store.messages import Parcel
from smtpeter.store.store import Store

# How long it is tried to send on what came.
LIFETIME_SECONDS = 5 * 86_400.0

NO_SUCH_ADDRESS = Reply(550, "5.1.1", "No such address")
CANNOT_TELL = Reply(451, "4.3.0", "Cannot check the address now, try again later")
_UNTRACKED = Features()


class Reception:
    """
    Where mail for our own addresses goes that is brought without a login.

    Args:
        arrived: is called when something was stored.
        in_thread: calls a function in a thread, for what would hold up the reactor.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        keys: KeySource,
        addresses: OwnAddresses,
        arrived: Callable[[], None],
        in_thread: Callable[..., Deferred[Any]],
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._keys = keys
        self._addresses = addresses
        self._arrived = arrived
        self._in_thread = in_thread
        self._seconds = seconds

    def knows(self, mailbox: Mailbox) -> Deferred[bool]:
        """
        Whether an address is ours and takes mail.

        Fails with `Refused` where that cannot be told now, and for a bounce address that we have
        not made, or whose time is over.
        """
        return Deferred.fromCoroutine(self._knows(mailbox))

    async def _knows(self, mailbox: Mailbox) -> bool:
        try:
            found = await self._addresses.at(mailbox)
        except StoreError as error:
            self._log.error("an address of ours cannot be checked: {error}", error=error)
            raise Refused(CANNOT_TELL, 503) from error
        if isinstance(found, Ours):
            return True
        if found is not Flaw.FOREIGN:
            raise Refused(NO_SUCH_ADDRESS, 404)
        return False

    def submit(self, submission: Submission) -> Deferred[Accepted]:
        """
        Store what came, once for each recipient; fires after the commit that holds all.

        Fails with `Refused` when it cannot be taken.
        """
        content = submission.content
        if content.header_octets > LARGE_HEADER_OCTETS:
            counted = self._in_thread(_hops, content)
        else:
            counted = succeed(_hops(content))
        taken: Deferred[Accepted] = counted.addCallback(self._take, submission)
        return taken.addErrback(cannot_be_stored, self._log)

    def _take(self, hops: int, submission: Submission) -> Deferred[Accepted]:
        if hops > MAX_HOPS:
            raise Refused(TOO_MANY_HOPS, 400)
        content = submission.content
        came = [self._arrival(each, submission) for each in submission.envelope.recipients]
        changes = [change for each in came for change in arrivals.additions(each, content)]
        stored = self._store.add(changes, content.octets * len(came))
        return stored.addCallback(self._stored, came)

    def _stored(self, _: None, came: Sequence[Arrival]) -> Accepted:
        self._arrived()
        return Accepted(tuple(str(each.parcel.key) for each in came), _UNTRACKED)

    def _arrival(self, recipient: Recipient, submission: Submission) -> Arrival:
        ours = self._addresses.here(recipient.mailbox)
        if not isinstance(ours, Ours):  # its time has come to an end since RCPT
            raise Refused(NO_SUCH_ADDRESS, 404)
        envelope, now = submission.envelope, self._seconds()
        parcel = Parcel(
            key=self._keys.next(),
            account_id=None,
            origin=ARRIVAL,
            login="",
            sender=envelope.sender,
            ret=None,
            envid=None,
            eightbit=envelope.eightbit,
            smtputf8=envelope.smtputf8,
            features=_UNTRACKED,
            trace=submission.trace,
            template_id=0,
            received=now,
            deliver_by=now + LIFETIME_SECONDS,
            octets=submission.content.octets,
        )
        return Arrival(parcel, recipient.written, ours.purpose, ours.message)


def _hops(content: Content) -> int:
    return sum(each.name == "received" for each in content.fields())
