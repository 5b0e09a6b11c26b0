"""Visits become events: who came, from where, and whether it was a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from twisted.logger import Logger

from smtpeter.events.bursts import Bursts
from smtpeter.events.places import NOWHERE, Places
from smtpeter.events.signals import Request, judge
from smtpeter.events.visit import Visit
from smtpeter.store.events import Event
from smtpeter.store.sent import Sent

_log = Logger()


class Judging:
    """Makes events of visits; called by one thread at a time."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._bursts = Bursts()

    def events(self, visits: Collection[Visit], messages: Mapping[str, Sent]) -> list[Event]:
        """
        The events of the visits of a batch, in their order.

        Those of messages that are known no longer, and requests that are no GET, are none.
        """
        for visit in visits:
            self._bursts.note(visit)
        events = []
        for visit in visits:
            message = messages.get(visit.message)
            if message is None or visit.method != "GET":
                continue
            try:
                events.append(self._event(visit, message))
            except Exception:  # it may not hold up all others for ever
                _log.failure("a visit is passed over by a fault of ours")
        return events

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
