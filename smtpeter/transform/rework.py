"""
What is done to the texts of a message: read once, led through the stages, encoded once.

Pure, and the same for all recipients of a submission: so it is done once for all of them, in
a process of its own. What is personal is left open in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import starmap
from time import perf_counter
from typing import Protocol, TypeGuard, cast

from attrs import evolve, field

from smtpeter.message.parts import Part, body_parts, is_protected, parse
from smtpeter.transform.bodytext import BodyText, decoded, edits_for
from smtpeter.transform.draft import Run
from smtpeter.transform.hosting import Hosted, HostedImage
from smtpeter.transform.marks import Marks, Slot
from smtpeter.transform.markup import Document, read
from smtpeter.transform.template import Template, TemplateEdit, gapped, template
from smtpeter.transform.webversion import text_page, text_parts
from smtpeter.values import frozen

BODY_OCTETS = 5 * 1024 * 1024
READING = "read"
WRITING = "write"


@frozen
class Body:
    """
    A text that a reader sees as the message, or as a part of it.

    Attributes:
        before: what the part says.
        says: what it is to say; HTML is a document, plain text is not.
    """

    part: Part
    before: BodyText = field(repr=False)
    says: Document | str = field(repr=False)

    @property
    def is_html(self) -> bool:
        return isinstance(self.says, Document)

    @property
    def text(self) -> str:
        """All of it in one piece."""
        return str(self.says)


def with_html(body: Body, change: Callable[[Document], Document]) -> Body:
    """The same part with its HTML changed; plain text stays."""
    if not isinstance(body.says, Document):
        return body
    document = change(body.says)
    return body if document is body.says else evolve(body, says=document)


def with_plain(body: Body, change: Callable[[str], str]) -> Body:
    """The same part with its plain text changed; HTML stays."""
    return evolve(body, says=change(body.says)) if isinstance(body.says, str) else body


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


class ImageStage(Protocol):
    """Takes images out of a message. A value, as `TextStage`; comes before those."""

    @property
    def name(self) -> str: ...

    @property
    def seconds(self) -> float: ...

    def take_out(self, octets: bytes, root: Part, documents: Mapping[int, Document]) -> Hosted:
        """The message without its images: see `host_images`."""


Stage = TextStage | ImageStage


def takes_images(stage: Stage) -> TypeGuard[ImageStage]:
    return hasattr(stage, "take_out")


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

    def __reduce__(self) -> tuple[Callable[..., Reworked], tuple[object, ...]]:
        """Slots travel as bare tuples: see `Template.__reduce__`."""
        slots = tuple(map(tuple, self.slots))
        return _unflattened, (self.template, slots, self.images, tuple(map(tuple, self.runs)))


def _unflattened(
    made: Template | None,
    slots: Iterable[tuple[str, int, str]],
    images: tuple[HostedImage, ...],
    runs: Iterable[tuple[str, float, str]],
) -> Reworked:
    return Reworked(made, tuple(starmap(Slot, slots)), images, tuple(starmap(Run, runs)))


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
    began = perf_counter()
    root = parse(octets)
    if is_protected(root):
        return Texts(octets, (), Marks(b""), images, ())
    bodies, problem = _read(octets, root)
    runs.append(Run(READING, perf_counter() - began, problem))
    marks = Marks(octets)
    for stage in stages:
        if takes_images(stage):
            octets, bodies, images, run = _without_images(stage, octets, root, bodies)
            runs.append(run)
        elif bodies:
            bodies, run = _through(cast("TextStage", stage), bodies, marks)
            runs.append(run)
    return Texts(octets, bodies, marks, images, tuple(runs))


def _without_images(
    stage: ImageStage, octets: bytes, root: Part, bodies: tuple[Body, ...]
) -> tuple[bytes, tuple[Body, ...], tuple[HostedImage, ...], Run]:
    began = perf_counter()
    documents = {body.part.start: body.says for body in bodies if isinstance(body.says, Document)}
    try:
        hosted = stage.take_out(octets, root, documents)
        if hosted.octets is not octets:
            bodies = _moved(root, hosted, bodies)
    except Exception as error:
        return octets, bodies, (), _failed(stage.name, began, error)
    return hosted.octets, bodies, hosted.images, Run(stage.name, perf_counter() - began)


def _moved(root: Part, hosted: Hosted, bodies: tuple[Body, ...]) -> tuple[Body, ...]:
    """
    The texts of a message where they stand now: all are there, in the same order.

    The line end that closes a message may have come to belong to one of them.
    """
    places = {
        old.start: evolve(new, end=new.body + old.end - old.body)
        for old, new in zip(_readable(root), _readable(parse(hosted.octets)), strict=True)
    }
    documents = iter(hosted.documents)
    return tuple(
        evolve(
            body,
            part=places[body.part.start],
            says=next(documents) if body.is_html else body.says,
        )
        for body in bodies
    )


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
    for part in _readable(root):
        before = None
        why = f"a part of {part.end - part.body} octets is over {BODY_OCTETS}"
        if part.end - part.body <= BODY_OCTETS:
            before = decoded(octets, part)
            why = "a part cannot be read in a way that gives the same octets again"
        is_html = part.media_type == "text/html"
        if before is not None:
            bodies.append(Body(part, before, read(before.text) if is_html else before.text))
        elif is_html:
            problem = why
    return tuple(bodies), problem


def _readable(root: Part) -> list[Part]:
    return sorted((*body_parts(root), *text_parts(root)), key=lambda part: part.start)


def _edits(texts: Texts, body: Body) -> list[TemplateEdit]:
    if body.says is body.before.text:
        return []
    text = body.text
    edits = edits_for(texts.octets, body.part, body.before, text, texts.marks.prefix)
    return gapped(edits, body.part, body.before, text, texts.marks) if edits else []
