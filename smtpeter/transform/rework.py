"""
What is done to the texts of a message: read once, led through the stages, encoded once.

Pure, and the same for all recipients of a submission: so it is done once for all of them, in
a process of its own. What is personal is left open in the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Protocol, runtime_checkable

from attrs import evolve, field

from smtpeter.message.parts import Part, body_parts, is_protected, parse
from smtpeter.transform.bodytext import BodyText, decoded, edits_for
from smtpeter.transform.draft import Run
from smtpeter.transform.hosting import HostedImage
from smtpeter.transform.marks import Marks, Slot
from smtpeter.transform.template import Template, TemplateEdit, gapped, template
from smtpeter.transform.webversion import text_page, text_parts
from smtpeter.values import frozen

BODY_OCTETS = 5 * 1024 * 1024
READING = "read"
WRITING = "write"


@frozen
class Body:
    """A text that a reader sees as the message, or as a part of it."""

    part: Part
    before: BodyText = field(repr=False)
    text: str = field(repr=False)

    @property
    def is_html(self) -> bool:
        return self.part.media_type == "text/html"


class TextStage(Protocol):
    """
    Changes texts. A value: equal ones do the same.

    Attributes:
        seconds: how long it may take for one message.
    """

    @property
    def name(self) -> str: ...

    @property
    def seconds(self) -> float: ...

    def __call__(self, bodies: Sequence[Body], marks: Marks) -> Sequence[Body]:
        """The bodies with other texts, with marks where identifiers belong."""


@runtime_checkable
class ImageStage(Protocol):
    """Takes images out of a message. A value, as `TextStage`."""

    @property
    def name(self) -> str: ...

    @property
    def seconds(self) -> float: ...

    def take_out(self, octets: bytes) -> tuple[bytes, tuple[HostedImage, ...]]:
        """The message without its images, and these."""


Stage = TextStage | ImageStage


@frozen
class Reworked:
    """
    What became of a message.

    Attributes:
        template: None when it stays as it is.
        slots: what belongs into the gaps.
        images: were taken out of the message, and have to be where it asks for them.
        runs: of each stage, in order.
    """

    template: Template | None = field(default=None, repr=False)
    slots: tuple[Slot, ...] = field(default=(), repr=False)
    images: tuple[HostedImage, ...] = field(default=(), repr=False)
    runs: tuple[Run, ...] = ()


@frozen
class Texts:
    """
    The texts of a message before and after.

    Attributes:
        marks: stand in the latter.
    """

    octets: bytes = field(repr=False)
    bodies: tuple[Body, ...]
    marks: Marks = field(repr=False)
    images: tuple[HostedImage, ...]
    runs: tuple[Run, ...]


def rework(blocks: Sequence[bytes], stages: Sequence[Stage]) -> Reworked:
    """
    Lead a message through stages, each fault by itself. A protected message stays as it is.

    Args:
        blocks: the content of a message.
    """
    source = b"".join(blocks)
    texts = reworked_texts(source, stages)
    began = perf_counter()
    try:
        edits = [edit for body in texts.bodies for edit in _edits(texts, body)]
    except Exception as error:
        # Without its texts the message would show images that it has no more.
        return Reworked(runs=(*texts.runs, _failed(WRITING, began, error)))
    if not edits and texts.octets is source:
        return Reworked(runs=texts.runs)
    made = template(len(texts.octets), edits)
    if texts.octets is not source:
        made = made.holding(texts.octets)
    runs = (*texts.runs, Run(WRITING, perf_counter() - began))
    return Reworked(made, tuple(texts.marks.slots), texts.images, runs)


@frozen
class Page:
    """What a reader sees of a message: HTML, with marks in it, and the slots of these."""

    html: str = field(repr=False)
    marks: Marks = field(repr=False)


def page(blocks: Sequence[bytes], stages: Sequence[Stage]) -> Page | None:
    """
    Show the first text of a message, HTML if there is any.

    Returns:
        None for a message without a text that can be shown.
    """
    texts = reworked_texts(b"".join(blocks), stages)
    for body in sorted(texts.bodies, key=lambda body: not body.is_html):
        return Page(body.text if body.is_html else text_page(body.text), texts.marks)
    return None


def reworked_texts(octets: bytes, stages: Sequence[Stage]) -> Texts:
    """The same as far as texts: for those who want to look at them."""
    runs: list[Run] = []
    images: tuple[HostedImage, ...] = ()
    root = parse(octets)
    if is_protected(root):
        return Texts(octets, (), Marks(b""), images, ())
    for stage in stages:
        if isinstance(stage, ImageStage):
            octets, images, run = _without_images(stage, octets)
            runs.append(run)
    began = perf_counter()
    bodies, problem = _read(octets, parse(octets) if images else root)
    runs.append(Run(READING, perf_counter() - began, problem))
    marks = Marks(octets)
    for stage in stages:
        if bodies and not isinstance(stage, ImageStage):
            bodies, run = _through(stage, bodies, marks)
            runs.append(run)
    return Texts(octets, bodies, marks, images, tuple(runs))


def _without_images(stage: ImageStage, octets: bytes) -> tuple[bytes, tuple[HostedImage, ...], Run]:
    began = perf_counter()
    try:
        after, images = stage.take_out(octets)
    except Exception as error:
        return octets, (), _failed(stage.name, began, error)
    return after, images, Run(stage.name, perf_counter() - began)


def _through(
    stage: TextStage, bodies: tuple[Body, ...], marks: Marks
) -> tuple[tuple[Body, ...], Run]:
    """Lead texts through one stage; when it fails they stay as they were, with their marks."""
    began = perf_counter()
    known = len(marks.slots)
    try:
        after = tuple(stage(bodies, marks))
    except Exception as error:
        del marks.slots[known:]
        return bodies, _failed(stage.name, began, error)
    return after, Run(stage.name, perf_counter() - began)


def _failed(name: str, began: float, error: Exception) -> Run:
    return Run(name, perf_counter() - began, f"{type(error).__name__}: {error}")


def _read(octets: bytes, root: Part) -> tuple[tuple[Body, ...], str]:
    """The texts that stages may change, and why HTML is not among them."""
    bodies: list[Body] = []
    problem = ""
    parts = (*body_parts(root), *text_parts(root))
    for part in sorted(parts, key=lambda part: part.start):
        before = None
        why = f"a part of {part.end - part.body} octets is over {BODY_OCTETS}"
        if part.end - part.body <= BODY_OCTETS:
            before = decoded(octets, part)
            why = "a part cannot be read in a way that gives the same octets again"
        if before is not None:
            bodies.append(Body(part, before, before.text))
        elif part.media_type == "text/html":
            problem = why
    return tuple(bodies), problem


def _edits(texts: Texts, body: Body) -> list[TemplateEdit]:
    edits = edits_for(texts.octets, body.part, body.before, body.text)
    return gapped(edits, body.part, body.before, body.text, texts.marks) if edits else []


def with_text(body: Body, text: str) -> Body:
    """The same part, saying another text."""
    return body if text is body.text else evolve(body, text=text)
