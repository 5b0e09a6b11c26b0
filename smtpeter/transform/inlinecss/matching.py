"""
Which selectors meet an element, found in one walk from the root down.

A selector is read from its left: what of it has been met by the ancestors and the siblings
before an element is a `Scene`, and the selectors that meet the element follow from its scene
and from what it is itself. Both repeat all over a document and from one mail to the next, so
each answer is worked out once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from attrs import define, field

from smtpeter.transform.inlinecss.places import Answers
from smtpeter.transform.inlinecss.selectors import Compound, Question, Selector, Specificity

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


@define
class _Node:
    """
    The beginning of one or more selectors, up to one of their compounds.

    Attributes:
        before: the number of the node that ends one compound earlier; -1 for the first.
        combinator: between that and this.
        choices: for each `:is()`, `:where()` and `:not()` the nodes of its selectors, one of
            which is to be met, or none where the second says so.
        continued: the nodes of longer selectors that follow, by the combinator between.
        complete: the rules, with specificity, of which a selector ends here.
    """

    before: int
    combinator: str
    compound: Compound
    choices: list[tuple[frozenset[int], bool]] = field(factory=list)
    continued: defaultdict[str, list[int]] = field(factory=lambda: defaultdict(list))
    complete: list[tuple[Specificity, int]] = field(factory=list)


class Person(NamedTuple):
    """
    What an element is by itself.

    Attributes:
        attributes: what it has of those that are asked for.
    """

    tag: str
    identifier: str
    classes: frozenset[str]
    attributes: Mapping[str, str | None]
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
    """Selectors, each for the number of a rule."""

    def __init__(self) -> None:
        self._nodes: list[_Node] = []
        self._numbers: dict[tuple[int, str, Compound], int] = {}
        self._by_identifier: defaultdict[str, list[int]] = defaultdict(list)
        self._by_class: defaultdict[str, list[int]] = defaultdict(list)
        self._by_tag: defaultdict[str, list[int]] = defaultdict(list)
        self._anywhere: list[int] = []
        self.attributes: list[str] = []
        self.questions: list[Question] = []

    def add(self, selector: Selector, rule: int) -> None:
        self._nodes[self._add(selector)].complete.append((selector.specificity, rule))

    def _add(self, selector: Selector) -> int:
        number = -1
        for combinator, compound in selector.steps:
            key = (number, combinator, compound)
            known = self._numbers.get(key)
            number = self._new(key) if known is None else known
        return number

    def _new(self, key: tuple[int, str, Compound]) -> int:
        node = _Node(*key)
        compound = node.compound
        for choice in compound.choices:
            options = frozenset(self._add(each) for each in choice.selectors)
            node.choices.append((options, choice.none_of_them))
        # behind its choices, so that they are decided before it
        number = self._numbers[key] = len(self._nodes)
        self._nodes.append(node)
        if node.before >= 0:
            self._nodes[node.before].continued[node.combinator].append(number)
        self._rightmost_index(compound).append(number)
        for test in compound.tests:
            if test.name not in self.attributes:
                self.attributes.append(test.name)
        for question in compound.questions:
            if question not in self.questions:
                self.questions.append(question)
        return number

    def _rightmost_index(self, compound: Compound) -> list[int]:
        if compound.identifiers:
            return self._by_identifier[compound.identifiers[0]]
        if compound.classes:
            return self._by_class[compound.classes[0]]
        return self._by_tag[compound.tag] if compound.tag else self._anywhere

    def person(
        self,
        tag: str,
        identifier: str,
        classes: str,
        values: tuple[str | None, ...],
        answers: Answers,
    ) -> Person:
        """
        Args:
            values: of the `attributes`, in their order.
            answers: to the `questions`, in their order.
        """
        return Person(
            tag,
            identifier,
            frozenset(classes.split()),
            dict(zip(self.attributes, values, strict=True)),
            dict(zip(self.questions, answers, strict=True)),
        )

    def possible(self, person: Person) -> Possible:
        """The nodes whose compound fits, but for its choices."""
        fitting = [
            number
            for number in self._candidates(person)
            if _fits(self._nodes[number].compound, person)
        ]
        return Possible(
            frozenset(number for number in fitting if self._nodes[number].before < 0),
            frozenset(number for number in fitting if self._nodes[number].before >= 0),
        )

    def _candidates(self, person: Person) -> Iterator[int]:
        yield from self._anywhere
        yield from self._by_tag.get(person.tag, ())
        if person.identifier:
            yield from self._by_identifier.get(person.identifier, ())
        for each in person.classes:
            yield from self._by_class.get(each, ())

    def reachable(self, scene: Scene) -> frozenset[int]:
        """The nodes that continue what was met around an element."""
        around = zip(" >+~", scene, strict=True)
        return frozenset(
            number
            for combinator, before in around
            for each in before
            for number in self._nodes[each].continued[combinator]
        )

    def met(self, reachable: frozenset[int], possible: Possible) -> set[int]:
        """The nodes that an element meets."""
        met: set[int] = set()
        for number in sorted(possible.first | (possible.later & reachable)):
            choices = self._nodes[number].choices
            if all(met.isdisjoint(options) == none for options, none in choices):
                met.add(number)
        return met

    def rules(self, met: set[int]) -> tuple[tuple[Specificity, int], ...]:
        """The rules that meet an element, each with its highest specificity: ascending."""
        best: dict[int, Specificity] = {}
        for number in met:
            for specificity, rule in self._nodes[number].complete:
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
        return frozenset(each for each in met if self._nodes[each].continued.get(combinator))


def _fits(compound: Compound, person: Person) -> bool:
    return (
        (not compound.tag or compound.tag == person.tag)
        and all(each == person.identifier for each in compound.identifiers)
        and person.classes.issuperset(compound.classes)
        and all(test.passes(person.attributes[test.name]) for test in compound.tests)
        and all(person.answers[question] for question in compound.questions)
    )
