"""The place of an element among others: `:first-child`, `:nth-of-type()`, `:empty` and such."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from smtpeter.transform.inlinecss.nesting import Element
from smtpeter.transform.inlinecss.selectors import Question

Answers = Sequence[bool]


def answers(
    elements: Sequence[Element],
    questions: Sequence[Question],
    has_text: Callable[[Element], bool],
) -> list[tuple[bool, ...]]:
    """For each element, what is true of it of what is asked."""
    columns = [_COLUMNS[each.kind](elements, each, has_text) for each in questions]
    return list(zip(*columns, strict=True))


def _roots(
    elements: Sequence[Element], _question: Question, _has_text: Callable[[Element], bool]
) -> list[bool]:
    return [parent < 0 for parent, _, _ in elements]


def _empty(
    elements: Sequence[Element], _question: Question, has_text: Callable[[Element], bool]
) -> list[bool]:
    parents = {parent for parent, _, _ in elements}
    return [
        number not in parents and not has_text(element) for number, element in enumerate(elements)
    ]


def _nth(
    elements: Sequence[Element], question: Question, _has_text: Callable[[Element], bool]
) -> list[bool]:
    of_type = question.kind.endswith("of-type")
    backwards = "last" in question.kind
    seen: Counter[object] = Counter()
    found: list[bool] = []
    for parent, tag, _ in reversed(elements) if backwards else elements:
        siblings = (parent, tag) if of_type else parent
        seen[siblings] += 1
        found.append(_fits(seen[siblings], question.step, question.offset))
    return found[::-1] if backwards else found


def _fits(position: int, step: int, offset: int) -> bool:
    """Whether a position is `step * n + offset` for an n from 0 on."""
    beyond = position - offset
    return beyond == 0 if step == 0 else beyond % step == 0 and beyond // step >= 0


_COLUMNS: dict[str, Callable[..., list[bool]]] = {
    "root": _roots,
    "empty": _empty,
    "nth-child": _nth,
    "nth-last-child": _nth,
    "nth-of-type": _nth,
    "nth-last-of-type": _nth,
}
