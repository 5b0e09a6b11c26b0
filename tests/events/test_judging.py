from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.events import judging as module
from smtpeter.events import signals
from smtpeter.events.judging import Judging
from smtpeter.events.places import Places
from smtpeter.events.signals import HEAD, HONEYPOT, MANY, MANY_LINKS, SOON, Judgement, Request
from smtpeter.events.visit import Visit
from smtpeter.store.events import Event
from smtpeter.store.sent import Sent
from smtpeter.store.settings import NO_SETTINGS, LoginSettings
from tests.events.house import MESSAGE, NOW, visit
from tests.events.test_places import FewRecords

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
        self.judging = Judging(Places(FewRecords()))

    def events(self, *visits: Visit, sent: Sent = SENT) -> list[Event]:
        for each in visits:
            self.judging.note(each)
        known = {MESSAGE: sent}
        events = [self.judging.event(each, known.get(each.message)) for each in visits]
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
