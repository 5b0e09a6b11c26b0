"""
Which selectors meet an element, found in one walk from the root down.

A selector is read from its left: what of it has been met by the ancestors and the siblings
before an element is a `Scene`, and the selectors that meet the element follow from its scene
and from what it is itself. Both repeat all over a document and from one mail to the next, so
each answer is worked out once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from smtpeter.transform.inlinecss.blanks import words
from smtpeter.transform.inlinecss.places import Answers
from smtpeter.transform.inlinecss.selectors import Compound, Question, Selector, Specificity, Test

_NOBODY: frozenset[int] = frozenset()


class Scene(NamedTuple):
    """
    Numbers of the beginnings of selectors that were met around an element.

    Attributes:
        ancestors: by one of its ancestors, where a descendant may continue.
        parent: by its parent, where a child may continue.
        previous: by the sibling before it.
        earlier: by any sibling before it.
    """

    ancestors: frozenset[int] = _NOBODY
    parent: frozenset[int] = _NOBODY
    previous: frozenset[int] = _NOBODY
    earlier: frozenset[int] = _NOBODY


class Person(NamedTuple):
    """
    What an element is by itself.

    Attributes:
        passed: what it passes of all tests.
    """

    tag: str
    identifier: str
    classes: frozenset[str]
    passed: Mapping[Test, bool]
    answers: Mapping[Question, bool]


class Possible(NamedTuple):
    """
    Nodes that an element may meet, from what it is by itself.

    Attributes:
        first: those that begin a selector.
        later: those that need something around the element.
    """

    first: frozenset[int]
    later: frozenset[int]


class Matcher:
    """
    Selectors, each for the number of a rule.

    A node is the beginning of one or more selectors, up to one of their compounds; it is
    known by its number.

    Attributes:
        tests: all tests of attributes, in order.
        questions: all that is asked about places, in order.
    """

    def __init__(self) -> None:
        self.tests: dict[Test, None] = {}
        self.questions: dict[Question, None] = {}
        # by the node before, or -1, the combinator between, and the compound
        self._numbers: dict[tuple[int, str, Compound], int] = {}
        self._compounds: list[Compound] = []
        self._first: list[bool] = []
        self._following: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        # for each :is(), :where() and :not() its nodes, and whether none of them is to be met
        self._choices: dict[int, list[tuple[frozenset[int], bool]]] = {}
        self._complete: defaultdict[int, list[tuple[Specificity, int]]] = defaultdict(list)
        self._by_name: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, selector: Selector, rule: int) -> None:
        self._complete[self._add(selector)].append((selector.specificity, rule))

    def _add(self, selector: Selector) -> int:
        number = -1
        for combinator, compound in selector.steps:
            key = (number, combinator, compound)
            known = self._numbers.get(key)
            number = self._new(key) if known is None else known
        return number

    def _new(self, key: tuple[int, str, Compound]) -> int:
        before, combinator, compound = key
        choices = [
            (frozenset(self._add(each) for each in choice.selectors), choice.none_of_them)
            for choice in compound.choices
        ]
        # behind its choices, so that they are decided before it
        number = self._numbers[key] = len(self._compounds)
        if choices:
            self._choices[number] = choices
        self._compounds.append(compound)
        self._first.append(before < 0)
        if before >= 0:
            self._following[combinator, before].append(number)
        self._by_name[_subject(compound)].append(number)
        for test in compound.tests:
            self.tests[test] = None
        for question in compound.questions:
            self.questions[question] = None
        return number

    def person(
        self,
        tag: str,
        identifier: str,
        classes: str,
        passed: Sequence[bool],
        answers: Answers,
    ) -> Person:
        """
        Args:
            passed: of the `tests`, in their order.
            answers: to the `questions`, in their order.
        """
        return Person(
            tag,
            identifier,
            frozenset(words(classes)),
            dict(zip(self.tests, passed, strict=True)),
            dict(zip(self.questions, answers, strict=True)),
        )

    def possible(self, person: Person) -> Possible:
        """The nodes whose compound fits, but for its choices."""
        first: list[int] = []
        later: list[int] = []
        for number in self._candidates(person):
            if _fits(self._compounds[number], person):
                (first if self._first[number] else later).append(number)
        return Possible(frozenset(first), frozenset(later))

    def _candidates(self, person: Person) -> Iterator[int]:
        names = ("", person.tag, f"#{person.identifier}", *(f".{each}" for each in person.classes))
        for name in names:
            yield from self._by_name.get(name, ())

    def reachable(self, scene: Scene) -> frozenset[int]:
        """The nodes that continue what was met around an element."""
        around = zip(" >+~", scene, strict=True)
        return frozenset(
            number
            for combinator, before in around
            for each in before
            for number in self._following.get((combinator, each), ())
        )

    def met(self, reachable: frozenset[int], possible: Possible) -> set[int]:
        """The nodes that an element meets."""
        met: set[int] = set()
        for number in sorted(possible.first | (possible.later & reachable)):
            choices = self._choices.get(number, ())
            if all(met.isdisjoint(options) == none for options, none in choices):
                met.add(number)
        return met

    def rules(self, met: set[int]) -> tuple[tuple[Specificity, int], ...]:
        """The rules that meet an element, each with its highest specificity: ascending."""
        best: dict[int, Specificity] = {}
        for number in met:
            for specificity, rule in self._complete.get(number, ()):
                if best.get(rule, (-1, 0, 0)) < specificity:
                    best[rule] = specificity
        return tuple(sorted((specificity, rule) for rule, specificity in best.items()))

    def inside(self, scene: Scene, met: set[int]) -> Scene:
        """The scene of an element's first child."""
        return Scene(scene.ancestors | self._continued(met, " "), self._continued(met, ">"))

    def behind(self, scene: Scene, met: set[int]) -> Scene:
        """The scene of its next sibling."""
        return Scene(
            scene.ancestors,
            scene.parent,
            self._continued(met, "+"),
            scene.earlier | self._continued(met, "~"),
        )

    def _continued(self, met: set[int], combinator: str) -> frozenset[int]:
        return frozenset(each for each in met if (combinator, each) in self._following)


def _subject(compound: Compound) -> str:
    """What an element must have for a compound: `#id`, `.class`, the name of its tag, or ""."""
    if compound.identifiers:
        return f"#{compound.identifiers[0]}"
    return f".{compound.classes[0]}" if compound.classes else compound.tag


def _fits(compound: Compound, person: Person) -> bool:
    return (
        (not compound.tag or compound.tag == person.tag)
        and all(each == person.identifier for each in compound.identifiers)
        and person.classes.issuperset(compound.classes)
        and all(person.passed[test] for test in compound.tests)
        and all(person.answers[question] for question in compound.questions)
    )
