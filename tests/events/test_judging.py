from __future__ import annotations

from attrs import evolve
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.events import judging as module
from smtpeter.events import signals
from smtpeter.events.judging import Judging, place_wanted
from smtpeter.events.places import Place
from smtpeter.events.signals import (
    HEAD,
    HONEYPOT,
    MANY,
    MANY_LINKS,
    PROGRAM,
    SOON,
    Judgement,
    Request,
)
from smtpeter.events.visit import Visit
from smtpeter.store.events import Event
from smtpeter.store.sent import Sent
from smtpeter.store.settings import NO_SETTINGS, LoginSettings
from tests.events.house import MESSAGE, NOW, visit

PLACE = Place("Utrecht", "Netherlands", "NL", "UT")
SENT = Sent(
    account_id=7,
    envelope="noor@shop.example",
    recipient="kees@mailbox.example",
    tags="news;may",
    template_id=3,
    delivered=NOW - 3600,
    waiting=False,
    settings=NO_SETTINGS,
)


class JudgingTests(SynchronousTestCase):
    """Visits that become events."""

    def setUp(self) -> None:
        self.judging = Judging()
        self.places = {visit().address: PLACE}

    def events(self, *visits: Visit, sent: Sent = SENT) -> list[Event]:
        for each in visits:
            self.judging.note(each)
        known = {MESSAGE: sent}
        events = [self.judging.event(each, known.get(each.message), self.places) for each in visits]
        return [event for event in events if event is not None]

    def details(self, each: Visit, sent: Sent = SENT) -> dict[str, str]:
        (event,) = self.events(each, sent=sent)
        return dict(event.details)

    def reason(self, each: Visit, sent: Sent = SENT) -> str:
        details = self.details(each, sent)
        self.assertEqual("true" if details["reason"] else "false", details["bot"])
        return details["reason"]

    def test_click(self) -> None:
        """A click has all that its message and its request tell, as texts."""
        (event,) = self.events(visit())
        self.assertEqual(
            Event(
                time=NOW,
                kind="click",
                account_id=7,
                message=MESSAGE,
                envelope="noor@shop.example",
                recipient="kees@mailbox.example",
                tags="news;may",
                template_id=3,
                details={
                    "headers": visit().headers,
                    "ip": "203.0.113.9",
                    "url": "https://clicks.shop.example/sale-IDENTIFIER",
                    "destination": "https://shop.example/sale",
                    "city": "Utrecht",
                    "countryname": "Netherlands",
                    "countrycode": "NL",
                    "regioncode": "UT",
                    "bot": "false",
                    "reason": "",
                },
            ),
            event,
        )

    def test_open(self) -> None:
        """An open has the protocol, and the address of the original image."""
        details = self.details(visit(kind="open", protocol="http"))
        self.assertEqual(
            ("http", "https://shop.example/sale"), (details["protocol"], details["url"])
        )
        self.assertNotIn("destination", details)

    def test_private(self) -> None:
        """Where the sender wants privacy, the event stays, and nothing in it tells who it was."""
        private = evolve(SENT, settings=LoginSettings(privacy=True))
        details = self.details(visit(), private)
        for name in ("headers", "ip", "city", "countryname", "countrycode", "regioncode"):
            self.assertEqual("", details[name])
        self.assertEqual("https://shop.example/sale", details["destination"])
        self.assertEqual(self.details(visit()).keys(), details.keys())
        # it is judged by what is not kept
        self.assertEqual(HONEYPOT, self.reason(visit(honeypot=True), private))
        self.assertIn("curl", visit(headers="User-Agent: curl/8").headers)
        self.assertNotEqual("", self.reason(visit(headers="User-Agent: curl/8"), private))

    def test_place_wanted(self) -> None:
        """Nobody looks for the place of whom the sender grants privacy, or that no event has."""
        self.assertTrue(place_wanted(visit(), SENT))
        self.assertFalse(place_wanted(visit(), evolve(SENT, settings=LoginSettings(privacy=True))))
        self.assertFalse(place_wanted(visit(), None))
        self.assertFalse(place_wanted(visit(method="HEAD"), SENT))

    def test_place_unknown(self) -> None:
        """An address that nobody has looked up, or of which nothing is known, has no place."""
        self.assertEqual("", self.details(visit(address="192.0.2.1"))["city"])

    def test_after_a_crash(self) -> None:
        """Where only the client's judgement is left of it, it is judged by that."""
        left = visit(address="", headers="")
        self.assertEqual("", self.reason(left._replace(client="")))
        self.assertEqual(PROGRAM, self.reason(left._replace(client=PROGRAM)))
        self.assertEqual("", self.details(left._replace(client=""))["ip"])

    def test_soon(self) -> None:
        """Who comes right after the delivery, or before it, is no person."""
        self.assertEqual(SOON, self.reason(visit(), evolve(SENT, delivered=NOW - 1)))
        self.assertEqual(SOON, self.reason(visit(), evolve(SENT, delivered=NOW + 1)))
        self.assertEqual(SOON, self.reason(visit(), evolve(SENT, delivered=None, waiting=True)))
        self.assertEqual("", self.reason(visit(), evolve(SENT, delivered=None)))

    def test_many_links(self) -> None:
        """Of many links followed at once, the first is judged like the last."""
        events = self.events(*(visit(link, time=NOW + link / 10) for link in range(MANY)))
        self.assertEqual({MANY_LINKS}, {event.details["reason"] for event in events})
        self.assertEqual("", self.reason(visit(time=NOW + 100)))

    def test_head(self) -> None:
        """A HEAD is no event, but what comes with it is judged by it."""
        self.assertEqual([], self.events(visit(method="HEAD")))
        self.assertEqual(HEAD, self.reason(visit()))

    def test_unknown_message(self) -> None:
        """A visit of a message that is known no longer is no event."""
        self.assertEqual([], self.events(visit(message="another")))

    def test_fault(self) -> None:
        """A visit at which we fail is passed over; the others become events."""

        def judge(request: Request) -> Judgement:
            if request.address == "192.0.2.1":
                raise ZeroDivisionError
            return signals.judge(request)

        self.patch(module, "judge", judge)
        events = self.events(visit(1), visit(2, address="192.0.2.1"), visit(3))
        self.assertEqual(2, len(events))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_private_fault(self) -> None:
        """What is logged of such a fault does not tell who it was."""

        def judge(request: Request) -> Judgement:
            raise ValueError(request.address, request.user_agent)

        self.patch(module, "judge", judge)
        with capturedLogs() as logged:
            self.assertEqual(
                [], self.events(visit(), sent=evolve(SENT, settings=LoginSettings(privacy=True)))
            )
        self.assertIn("ValueError", repr(logged))
        for told in (visit().address, "Firefox"):
            self.assertNotIn(told, repr(logged))
