"""Has the texts of messages reworked by worker processes, once for all of a submission."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Collection, Sequence
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from smtpeter.message.content import Content
from smtpeter.sharing import Shared
from smtpeter.store.arrivals import ARRIVAL
from smtpeter.transform.draft import Draft, Run
from smtpeter.transform.hosting import HostedImage
from smtpeter.transform.identifier import Identifiers
from smtpeter.transform.marks import Slot
from smtpeter.transform.rework import Reworked, Stage, page, rework
from smtpeter.transform.template import filled
from smtpeter.transform.textstages import TrackOpens
from smtpeter.workers.job import JobLost

CACHE_OCTETS = 64 * 1024 * 1024
# What an entry takes beside its octets.
ENTRY_OCTETS = 2048
READING_SECONDS = 5.0
NO_ORIGIN = 0

_WORD = b"webversion"
_ENCODED_WORDS = tuple(
    # without the characters that the octets before and behind decide as well
    b64encode(b"\0" * shift + _WORD)[2 * bool(shift) + (shift > 1) :][:12]
    for shift in range(3)
)
_CARRY = 64


class Reworking:
    """
    The stage that stands for all that texts go through.

    Args:
        call: `Workers.call`.
        plan: says which stages a message goes through.
        numbers_of: gives each origin its number.
        keep_images: stores images that were taken out of a message; before they are stored
            it does not leave.
    """

    def __init__(
        self,
        call: Callable[..., Deferred[Any]],
        plan: Callable[[Draft], Deferred[tuple[Stage, ...]]],
        identifiers: Identifiers,
        numbers_of: Callable[[Collection[str]], Deferred[dict[str, int]]],
        keep_images: Callable[[Draft, Sequence[HostedImage]], Deferred[None]],
        cache_octets: int = CACHE_OCTETS,
    ) -> None:
        self._call = call
        self._plan = plan
        self._identifiers = identifiers
        self._numbers_of = numbers_of
        self._keep_images = keep_images
        self._shared: Shared[tuple[int, tuple[Stage, ...]], Reworked] = Shared(
            cache_octets, _weight
        )

    def apply(self, draft: Draft) -> Draft | Deferred[Draft]:
        """
        Rework a message; most small ones have nothing to rework.

        Fails as what it was given fails, and with `JobError`.
        """
        if not concerns(draft):
            return draft
        return Deferred.fromCoroutine(self._apply(draft))

    def page(self, draft: Draft) -> Deferred[str | None]:
        """
        The web version of a message, with the links that it was delivered with.

        Fires with None when there is nothing to show; fails as `apply`.
        """
        return Deferred.fromCoroutine(self._page(draft))

    async def _page(self, draft: Draft) -> str | None:
        stages = await self._plan(draft)
        if not stages:
            return None
        # a look at the web version is no open
        shown = tuple(stage for stage in stages if not isinstance(stage, TrackOpens))
        found = await self._call(_seconds(stages), page, draft.content.blocks, shown)
        if found is None:
            return None
        names = await self._names(draft.message_id, found.marks.slots)
        return str(found.marks.replaced(found.html, names))

    async def _apply(self, draft: Draft) -> Draft:
        stages = await self._plan(draft)
        if not stages:
            return draft
        if draft.submission:
            key = (draft.submission, stages)
            reworked = await self._shared.get(key, lambda: self._make(draft, stages))
        else:
            reworked = await self._make(draft, stages)
        content = draft.content
        if reworked.template is not None:
            names = await self._names(draft.message_id, reworked.slots)
            content = filled(content, reworked.template, names)
        return evolve(draft, content=content, runs=(*draft.runs, *reworked.runs))

    async def _names(self, message_id: str, slots: Sequence[Slot]) -> list[str]:
        origins = {slot.origin for slot in slots if slot.origin}
        numbers = await self._numbers_of(origins) if origins else {}
        return names(self._identifiers, message_id, slots, numbers)

    async def _make(self, draft: Draft, stages: tuple[Stage, ...]) -> Reworked:
        blocks = draft.content.blocks
        reworked: Reworked
        try:
            reworked = await self._call(_seconds(stages), rework, blocks, stages)
        except JobLost:
            reworked = await self._make_carefully(blocks, stages)
        if reworked.images:
            await self._keep_images(draft, reworked.images)
        return evolve(reworked, images=())

    async def _make_carefully(self, blocks: Sequence[bytes], stages: tuple[Stage, ...]) -> Reworked:
        """Try one stage more each time, to find out which it is that does not come to an end."""
        reworked = Reworked()
        good: tuple[Stage, ...] = ()
        lost: tuple[Run, ...] = ()
        for stage in stages:
            trial = (*good, stage)
            try:
                reworked = await self._call(_seconds(trial), rework, blocks, trial)
            except JobLost as error:
                lost = (*lost, Run(stage.name, stage.seconds, str(error)))
            else:
                good = trial
        return evolve(reworked, runs=(*reworked.runs, *lost))


def names(
    identifiers: Identifiers, message_id: str, slots: Sequence[Slot], numbers: dict[str, int]
) -> list[str]:
    """The identifiers for the slots of one message; `numbers` are those of their origins."""
    return identifiers.make_all(
        message_id,
        [
            (kind, number, numbers[origin] if origin else NO_ORIGIN)
            for kind, number, origin in slots
        ],
    )


def concerns(draft: Draft) -> bool:
    """
    False when a message has nothing to rework, without looking closely.

    The place for the address of the web version is filled in whatever the features are, but not
    in what is sent on as it came.
    """
    if draft.origin == ARRIVAL:
        return False
    features = draft.features
    if features.inlinecss or features.trackclicks or features.trackopens:
        return True
    return features.images == "hosted" or mentions_webversion(draft.content)


def mentions_webversion(content: Content) -> bool:
    """
    Whether the word stands anywhere, plain, quoted-printable or in base64.

    Every message is asked; so where it cannot be, only single octets are searched for.
    """
    header = content.header.lower()
    composite = b"multipart/" in header
    quoted = composite or b"quoted-printable" in header
    base64 = composite or b"base64" in header
    carry = b""
    for block in content.blocks:
        octets = carry + block if carry else block
        if (b"{" in octets or b"%" in octets or (quoted and b"=" in octets)) and _WORD in octets:
            return True
        if quoted and b"=\r\n" in octets and _WORD in octets.replace(b"=\r\n", b""):
            return True
        if base64 and _in_base64(octets):
            return True
        carry = octets[-_CARRY:]
    return False


def _in_base64(octets: bytes) -> bool:
    squeezed = octets.replace(b"\r\n", b"")
    return any(word in squeezed for word in _ENCODED_WORDS)


def _seconds(stages: Sequence[Stage]) -> float:
    """All of them seldom need more than the slowest may."""
    return READING_SECONDS + max(stage.seconds for stage in stages)


def _weight(reworked: Reworked) -> int:
    held = reworked.template.octets if reworked.template is not None else 0
    return held + ENTRY_OCTETS + 100 * len(reworked.slots)
