"""Visits become events: who came, from where, and whether it was a person."""

from __future__ import annotations

from twisted.logger import Logger

from smtpeter.events.bursts import Bursts
from smtpeter.events.places import NOWHERE, Places
from smtpeter.events.signals import Request, judge
from smtpeter.events.visit import Visit
from smtpeter.store.events import Event
from smtpeter.store.sent import Sent

_log = Logger()


class Judging:
    """Makes events of visits."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._bursts = Bursts()

    def note(self, visit: Visit) -> None:
        """Look at a visit before those are judged that came around its time."""
        self._bursts.note(visit)

    def event(self, visit: Visit, message: Sent | None) -> Event | None:
        """
        The event of a visit.

        None for one of a message that is known no longer, and for a request that is no GET.
        """
        if message is None or visit.method != "GET":
            return None
        try:
            return self._event(visit, message)
        except Exception:  # it may not hold up all others for ever
            _log.failure("a visit is passed over by a fault of ours")
            return None

    def _event(self, visit: Visit, message: Sent) -> Event:
        return Event(
            time=visit.time,
            kind=visit.kind,
            account_id=message.account_id,
            message=visit.message,
            envelope=message.envelope,
            recipient=message.recipient,
            tags=message.tags,
            template_id=message.template_id,
            details=self._details(visit, message),
        )

    def _details(self, visit: Visit, message: Sent) -> dict[str, str]:
        private = message.settings.privacy
        # Every field of a request can tell one reader from the others, and a place is made
        # of an address.
        place = NOWHERE if private else self._places.of(visit.address)
        judgement = judge(self._request(visit, message))
        return {
            "headers": "" if private else visit.headers,
            "ip": "" if private else visit.address,
            **_of_kind(visit),
            **place._asdict(),
            "bot": "true" if judgement.bot else "false",
            "reason": judgement.reason,
        }

    def _request(self, visit: Visit, message: Sent) -> Request:
        return Request(
            kind=visit.kind,
            method=self._bursts.method(visit),
            user_agent=visit.user_agent,
            address=visit.address,
            seconds_since_delivery=_seconds_since_delivery(visit, message),
            different_links=self._bursts.different_links(visit),
            honeypot=visit.honeypot,
        )


def _of_kind(visit: Visit) -> dict[str, str]:
    if visit.kind == "click":
        return {"url": visit.url, "destination": visit.destination}
    return {"protocol": visit.protocol, "url": visit.destination}


def _seconds_since_delivery(visit: Visit, message: Sent) -> float | None:
    if message.waiting:
        return 0.0  # a receiver looks at what it is about to take
    return None if message.delivered is None else visit.time - message.delivered
