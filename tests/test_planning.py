from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.applying import ApplyingDomains
from smtpeter.bases import Bases
from smtpeter.message.features import ALL_ON, Features
from smtpeter.planning import KEPT_SECONDS, SETTINGS_SECONDS, Plans, stages_for
from smtpeter.store import domains, images, settings
from smtpeter.store.domains import SenderDomain
from smtpeter.store.settings import NO_SETTINGS, LoginSettings
from smtpeter.transform.draft import Draft
from smtpeter.transform.hosting import HostedImage, Image
from smtpeter.transform.textstages import AddHoneypot, FillInWebVersion, InlineCss, TrackLinks
from tests.transform.drafts import draft

BASE = "https://clicks.shop.example"
KEEP_SECONDS = 1000.0
SHOP = SenderDomain(1, 3, "shop.example", 1.0, "go.shop.example", True, "b.shop.example", 1.0)


class FakeStore:
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.answers: dict[Any, Any] = {}

    def read(self, *asked: Any) -> Deferred[Any]:
        self.asked.append(asked)
        return succeed(self.answers.get(asked[0], LoginSettings(presentational=True)))

    transact = read


class StagesTests(SynchronousTestCase):
    """Which stages, in which order."""

    def names(self, features: Features) -> list[str]:
        content = draft(b"\r\n").content
        return [stage.name for stage in stages_for(features, NO_SETTINGS, content, BASE)]

    def test_order(self) -> None:
        """What recipients have in common comes first; links are rewritten before images."""
        self.assertEqual(
            ["images", "inlinecss", "webversion", "trackclicks", "trackopens"], self.names(ALL_ON)
        )

    def test_features(self) -> None:
        """Each feature brings its stage; the web version is always filled in."""
        for features, name in (
            (Features(images="hosted"), "images"),
            (Features(inlinecss=True), "inlinecss"),
            (Features(trackclicks=True), "trackclicks"),
            (Features(trackopens=True), "trackopens"),
        ):
            self.assertEqual({name, "webversion"}, set(self.names(features)))
        self.assertEqual(["webversion"], self.names(Features(trackbounces=True, preventscam=True)))

    def test_honeypot(self) -> None:
        """Who asks for it gets the link that is not seen, where links are tracked."""
        content = draft(b"\r\n").content
        for features, expected in ((ALL_ON, True), (Features(trackopens=True), False)):
            stages = stages_for(features, LoginSettings(honeypot=True), content, BASE)
            self.assertEqual(expected, AddHoneypot(BASE) in stages)

    def test_unsubscribe(self) -> None:
        """Links to where one unsubscribes are left alone, wherever the fields name them."""
        content = draft(
            b"List-Unsubscribe: <mailto:x@shop.example>,\r\n"
            b" <HTTPS://shop.example/un\r\n sub?a=1>\r\n"
            b"List-Unsubscribe: <http://shop.example/other>\r\n\r\n"
        ).content
        _, stage = stages_for(Features(trackclicks=True), NO_SETTINGS, content, BASE)
        assert isinstance(stage, TrackLinks)
        self.assertEqual(
            {"HTTPS://shop.example/unsub?a=1", "http://shop.example/other"}, stage.leave
        )

    def test_values(self) -> None:
        """Equal plans are equal, so that what was made by one serves the other."""
        content = draft(b"\r\n").content
        first, second = (stages_for(ALL_ON, NO_SETTINGS, content, BASE) for _ in range(2))
        self.assertEqual((first, hash(first)), (second, hash(second)))


class PlansTests(SynchronousTestCase):
    """Plans by what a login asks for."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = FakeStore()
        store: Any = self.store
        self.plans = Plans(
            store,
            Bases(BASE, "", ""),
            ApplyingDomains(store, self.clock.seconds),
            KEEP_SECONDS,
            self.clock.seconds,
            lambda: 5000.0,
        )

    def draft(self) -> Draft:
        one = draft(b"\r\n", features=Features(inlinecss=True))
        return evolve(one, login="noor", account_id=3, origin="smtp")

    def test_settings(self) -> None:
        """What the login asks for is in the plan, and remembered for a moment."""
        for _ in range(2):
            first, _webversion = self.successResultOf(self.plans.plan(self.draft()))
            self.assertEqual(InlineCss(presentational=True), first)
        self.assertEqual([(settings.settings_of, "smtp", 3, "noor")], self.store.asked)
        self.clock.advance(SETTINGS_SECONDS)
        self.successResultOf(self.plans.plan(self.draft()))
        self.assertEqual(2, len(self.store.asked))

    def test_namesakes(self) -> None:
        """What is remembered of a login holds for no token, and no other account, of its name."""
        for changed in ({}, {"origin": "rest"}, {"account_id": 4}):
            self.successResultOf(self.plans.plan(evolve(self.draft(), **changed)))
        self.assertEqual(3, len(self.store.asked))

    def test_sender_domain(self) -> None:
        """Links point to the host of the author's domain."""
        content = draft(b"From: noor@shop.example\r\n\r\n").content
        self.store.answers[domains.applying_domain] = SHOP
        (stage,) = self.successResultOf(
            self.plans.plan(evolve(self.draft(), features=Features(), content=content))
        )
        self.assertEqual(FillInWebVersion("https://go.shop.example"), stage)
        self.assertIn((domains.applying_domain, 3, "shop.example"), self.store.asked)

    def test_images(self) -> None:
        """Images are stored for their account, as long as they are kept."""
        image = Image("c", "image/png", "", b"PNG", "00")
        self.successResultOf(self.plans.keep_images(self.draft(), [HostedImage(image, BASE)]))
        kept = [images.Image("image/png", b"PNG")]
        self.assertEqual([(images.keep, kept, 3, 6000.0 + KEPT_SECONDS, 5000.0)], self.store.asked)

    def test_images_again(self) -> None:
        """An image that was stored for an account a short while ago is not stored again."""
        image = HostedImage(Image("c", "image/png", "", b"PNG", "00"), BASE)
        other = HostedImage(Image("d", "image/png", "", b"other", "01"), BASE)
        for hosted in ([image], [image], [image, other]):
            self.successResultOf(self.plans.keep_images(self.draft(), hosted))
        self.assertEqual(
            [[images.Image("image/png", b"PNG")], [images.Image("image/png", b"other")]],
            [asked[1] for asked in self.store.asked],
        )
        self.successResultOf(self.plans.keep_images(evolve(self.draft(), account_id=4), [image]))
        self.clock.advance(KEPT_SECONDS)
        self.successResultOf(self.plans.keep_images(self.draft(), [image]))
        self.assertEqual(4, len(self.store.asked))

    def test_images_of_nobody(self) -> None:
        """For nobody's message nothing is stored."""
        self.failureResultOf(self.plans.keep_images(draft(b"\r\n"), []), ValueError)
