"""Which stages the texts of a message go through."""

from __future__ import annotations

from smtpeter.message.content import Content
from smtpeter.message.features import Features
from smtpeter.store.settings import LoginSettings
from smtpeter.transform.rework import Stage
from smtpeter.transform.textstages import (
    FillInWebVersion,
    HostImages,
    InlineCss,
    TrackLinks,
    TrackOpens,
)
from smtpeter.transform.unsubscribing import unsubscribe_addresses
from smtpeter.web.tracking.hosted import image_path


def stages_for(
    features: Features, settings: LoginSettings, content: Content, base: str
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
        stages.append(InlineCss(settings.presentational))
    stages.append(FillInWebVersion(base))
    if features.trackclicks:
        leave = unsubscribe_addresses(content)
        stages.append(TrackLinks(base, features.preventscam, leave))
    if features.trackopens:
        stages.append(TrackOpens(base))
    return tuple(stages)
