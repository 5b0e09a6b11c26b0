"""Visits become events: who came, from where, and whether it was a person."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.logger import Logger

from smtpeter.events.bursts import Bursts
from smtpeter.events.places import NOWHERE, Place
from smtpeter.events.signals import Request, judge
from smtpeter.events.visit import Visit
from smtpeter.store.events import Event
from smtpeter.store.sent import Sent

_log = Logger()


class Judging:
    """Makes events of visits."""

    def __init__(self) -> None:
        self._bursts = Bursts()

    def note(self, visit: Visit) -> None:
        """Look at a visit before those are judged that came around its time."""
        self._bursts.note(visit)

    def event(
        self, visit: Visit, message: Sent | None, places: Mapping[str, Place]
    ) -> Event | None:
        """
        The event of a visit.

        None for one of a message that is known no longer, and for a request that is no GET.

        Args:
            places: those of the addresses that `place_wanted` wants to know.
        """
        if message is None or visit.method != "GET":
            return None
        try:
            return self._event(visit, message, places.get(visit.address, NOWHERE))
        except Exception as error:  # it may not hold up all others for ever
            if message.settings.privacy:  # the text of an error may tell what it met
                _log.error("a visit is passed over by our {fault}", fault=type(error).__name__)
            else:
                _log.failure("a visit is passed over by a fault of ours")
            return None

    def _event(self, visit: Visit, message: Sent, place: Place) -> Event:
        return Event(
            time=visit.time,
            kind=visit.kind,
            account_id=message.account_id,
            message=visit.message,
            envelope=message.envelope,
            recipient=message.recipient,
            tags=message.tags,
            template_id=message.template_id,
            details=self._details(visit, message, place),
        )

    def _details(self, visit: Visit, message: Sent, place: Place) -> dict[str, str]:
        private = message.settings.privacy
        # Every field of a request can tell one reader from the others.
        place = NOWHERE if private else place
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
            honeypot=self._bursts.honeypot(visit),
            client=visit.judged().client,
        )


def place_wanted(visit: Visit, message: Sent | None) -> bool:
    """Whether an event will tell the place of a visit; else nobody may look for it."""
    return message is not None and visit.method == "GET" and not message.settings.privacy


def _of_kind(visit: Visit) -> dict[str, str]:
    if visit.kind == "click":
        return {"url": visit.url, "destination": visit.destination}
    return {"protocol": visit.protocol, "url": visit.destination}


def _seconds_since_delivery(visit: Visit, message: Sent) -> float | None:
    if message.waiting:
        return 0.0  # a receiver looks at what it is about to take
    return None if message.delivered is None else visit.time - message.delivered
