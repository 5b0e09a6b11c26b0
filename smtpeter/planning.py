"""Which stages the texts of a message go through."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, fail, succeed

from smtpeter.applying import ApplyingDomains
from smtpeter.bases import Bases
from smtpeter.expiring import Expiring
from smtpeter.message.content import Content
from smtpeter.message.features import Features
from smtpeter.store import images, settings
from smtpeter.store.settings import LoginSettings
from smtpeter.store.store import Store
from smtpeter.transform.draft import Draft
from smtpeter.transform.hosting import HostedImage
from smtpeter.transform.rework import Stage
from smtpeter.transform.textstages import (
    AddHoneypot,
    FillInWebVersion,
    HostImages,
    InlineCss,
    TrackLinks,
    TrackOpens,
)
from smtpeter.transform.unsubscribing import unsubscribe_addresses
from smtpeter.web.tracking.hosted import image_path

LOGINS = 1000
# For so long it is known that an image is stored; it is kept that much longer.
IMAGES = 10_000
KEPT_SECONDS = 3600.0
SETTINGS_SECONDS = 1.0


def stages_for(
    features: Features, of_login: LoginSettings, content: Content, base: str
) -> tuple[Stage, ...]:
    """
    The stages, in the order in which they are gone through.

    First what the recipients of a submission have in common, then what is personal.

    Args:
        base: scheme and host of tracked links.
    """
    stages: list[Stage] = []
    if features.images == "hosted":
        stages.append(HostImages(base, image_path))
    if features.inlinecss:
        stages.append(InlineCss(of_login.presentational))
    stages.append(FillInWebVersion(base))
    if features.trackclicks:
        leave = unsubscribe_addresses(content)
        stages.append(TrackLinks(base, features.preventscam, leave))
        if of_login.honeypot:
            stages.append(AddHoneypot(base))
    if features.trackopens:
        stages.append(TrackOpens(base))
    return tuple(stages)


class Plans:
    """
    Plans for messages, by their features and by what their login asks for.

    Args:
        bases: of tracked links, for mail with a sender domain and without.
        domains: tells which sender domain is for a message.
        keep_seconds: how long images are hosted after their message was sent.
        monotonic: a clock that never goes back.
        seconds: the wall clock, seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        bases: Bases,
        domains: ApplyingDomains,
        keep_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._bases = bases
        self._domains = domains
        self._keep_seconds = keep_seconds
        self._seconds = seconds
        self._settings: Expiring[tuple[str, int | None, str], LoginSettings] = Expiring(
            monotonic, LOGINS
        )
        self._kept: Expiring[tuple[int, str], bool] = Expiring(monotonic, IMAGES)

    def plan(self, draft: Draft) -> Deferred[tuple[Stage, ...]]:
        """The stages of a message; fails with `StoreError`."""
        return Deferred.fromCoroutine(self._plan(draft))

    async def _plan(self, draft: Draft) -> tuple[Stage, ...]:
        sender = (draft.origin, draft.account_id, draft.login)
        of_login = self._settings.get(sender)
        if of_login is None:
            of_login = await self._store.read(settings.settings_of, *sender)
            self._settings.put(sender, of_login, SETTINGS_SECONDS)
        domain = await self._domains.of(draft.account_id, draft.content)
        return stages_for(draft.features, of_login, draft.content, self._bases.of(domain))

    def keep_images(self, draft: Draft, hosted: Sequence[HostedImage]) -> Deferred[None]:
        """
        Store images that were taken out of a message; fails with `StoreError`.

        One that was stored for the account a short while ago is not written again.
        """
        account_id = draft.account_id
        if account_id is None:
            return fail(ValueError("a message of nobody's has images to be hosted"))
        new = {
            each.image.sha256: images.Image(each.image.media_type, each.image.octets)
            for each in hosted
            if not self._kept.get((account_id, each.image.sha256))
        }
        if not new:
            return succeed(None)
        now = self._seconds()
        until = now + self._keep_seconds + KEPT_SECONDS
        done = self._store.transact(images.keep, list(new.values()), account_id, until, now)

        def remember(result: None) -> None:
            for digest in new:
                self._kept.put((account_id, digest), True, KEPT_SECONDS)
            return result

        return done.addCallback(remember)
