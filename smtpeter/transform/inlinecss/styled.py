"""A set of style sheets at work: which element gets what, remembered from one mail to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from attrs import define, field

from smtpeter.transform.inlinecss import syntax
from smtpeter.transform.inlinecss.cascade import NOTHING, Styling, styling
from smtpeter.transform.inlinecss.document import MARK, Element
from smtpeter.transform.inlinecss.matching import Matcher, Scene
from smtpeter.transform.inlinecss.places import Answers, answers
from smtpeter.transform.inlinecss.selectors import Specificity
from smtpeter.transform.inlinecss.stylesheet import Place, Sheet, Stylesheets
from smtpeter.transform.markup import NO_INLINE

# They are never shown, so they need no style.
_UNSEEN = frozenset(
    [
        "head",
        "title",
        "meta",
        "link",
        "base",
        "style",
        "script",
        "template",
        "param",
        "source",
        "track",
        "noembed",
        "noframes",
    ]
)
# What is kept in memory is about that many times as large as the text it was made from.
_OCTETS_PER_CHARACTER = 12
_OCTETS_PER_STEP = 700

# Name, class, id, style; then the attributes and the answers that the sheets ask for.
_Traits: TypeAlias = tuple[object, ...]


class Change(NamedTuple):
    """
    What becomes of an element.

    Attributes:
        number: of its start tag.
        excepted: it is marked to be left alone, and the mark goes.
    """

    number: int
    styling: Styling
    excepted: bool = False


@define
class _Spot:
    """A scene, with what became of those who were seen in it."""

    scene: Scene
    steps: dict[_Traits, _Step] = field(factory=dict)


class _Step(NamedTuple):
    """
    What follows when an element with certain traits is met in a scene.

    Attributes:
        inside: where its children are met.
        behind: where its next sibling is.
    """

    inside: _Spot
    behind: _Spot
    styling: Styling


class Styled:
    """
    Style sheets that were seen.

    Args:
        caseless: classes and ids are compared without regard to case.
        most_octets: past that nothing more is remembered.
    """

    def __init__(self, sheets: Sequence[Sheet], *, caseless: bool, most_octets: int) -> None:
        self.octets = _OCTETS_PER_CHARACTER * sum(len(sheet.text) for sheet in sheets)
        self._most_octets = most_octets
        self._caseless = caseless
        self._sheets = Stylesheets(sheets, caseless=caseless)
        self._matcher = Matcher()
        for number, rule in enumerate(self._sheets.rules):
            for selector in rule.selectors:
                self._matcher.add(selector, number)
        self._possible: dict[_Traits, tuple[int, ...]] = {}
        self._stylings: dict[object, Styling] = {}
        self._spots: dict[Scene, _Spot] = {}
        self._start = self._spot(Scene())
        self._leftovers: dict[tuple[int, frozenset[Place]], str] = {}

    def changes(
        self, elements: Sequence[Element], has_text: Callable[[Element], bool]
    ) -> list[Change]:
        """What becomes of the elements that are to change."""
        found: list[Change] = []
        names = self._matcher.attributes
        places: list[Answers] = []
        if self._matcher.questions:
            places = answers(elements, self._matcher.questions, has_text)
        spots = [self._start]  # that of the children of the element before, by its number
        for number, (parent, tag, attributes) in enumerate(elements, 1):
            get = attributes.get
            traits: _Traits = (tag, get("class"), get("id"), get("style"))
            if names:
                traits += tuple(map(get, names))
            if places:
                traits += places[number - 1]
            spot = spots[parent + 1]
            step = spot.steps.get(traits)
            if step is None:
                step = self._step(spot, traits)
            spots[parent + 1] = step.behind
            spots.append(step.inside)
            if NO_INLINE in attributes and MARK in attributes:
                found.append(Change(int(attributes[MARK]), NOTHING, excepted=True))
            elif step.styling is not NOTHING and MARK in attributes:
                found.append(Change(int(attributes[MARK]), step.styling))
        return found

    def leftover(self, number: int, raised: frozenset[Place]) -> str:
        """What stays of a sheet when these of its declarations are to be made important."""
        known = self._leftovers.get((number, raised))
        if known is None:
            known = self._sheets.leftover(number, raised)
            if self._has_room(2 * len(known)):
                self._leftovers[number, raised] = known
        return known

    def _has_room(self, octets: int) -> bool:
        if self.octets + octets > self._most_octets:
            return False
        self.octets += octets
        return True

    def _step(self, spot: _Spot, traits: _Traits) -> _Step:
        tag, style = traits[0], traits[3]
        scene = spot.scene
        met = self._matcher.met(scene, self._nodes(traits))
        matched = self._matcher.rules(met)
        result = NOTHING
        if matched and tag not in _UNSEEN:
            result = self._styling(matched, style)
        matcher = self._matcher
        step = _Step(
            self._spot(matcher.inside(scene, met)), self._spot(matcher.behind(scene, met)), result
        )
        if self._has_room(_OCTETS_PER_STEP + 2 * len(str(traits))):
            spot.steps[traits] = step
        return step

    def _nodes(self, traits: _Traits) -> tuple[int, ...]:
        """The selectors that may meet an element, from what it is by itself."""
        key = (*traits[:3], *traits[4:])
        known = self._possible.get(key)
        if known is None:
            matcher = self._matcher
            tag, classes, identifier = (str(each or "") for each in traits[:3])
            if self._caseless:
                classes, identifier = classes.lower(), identifier.lower()
            asked = len(matcher.attributes)
            person = matcher.person(
                tag,
                identifier,
                classes,
                traits[4 : 4 + asked],  # type: ignore[arg-type]
                traits[4 + asked :],  # type: ignore[arg-type]
            )
            known = matcher.possible(person)
            if self._has_room(_OCTETS_PER_STEP):
                self._possible[key] = known
        return known

    def _styling(self, matched: tuple[tuple[Specificity, int], ...], style: object) -> Styling:
        key = (matched, style)
        known = self._stylings.get(key)
        if known is None:
            rules = self._sheets.rules
            given = [(specificity, number, rules[number]) for specificity, number in matched]
            text = syntax.uncommented(str(style or ""))
            known = styling(
                [each for each in given if each[2].moved],
                [each for each in given if not each[2].moved],
                syntax.declarations(text),
                closed=syntax.is_closed(text),
            )
            if not (known.before or known.after or known.raised):
                known = NOTHING
            if self._has_room(_OCTETS_PER_STEP + 2 * (len(known.before) + len(known.after))):
                self._stylings[key] = known
        return known

    def _spot(self, scene: Scene) -> _Spot:
        known = self._spots.get(scene)
        if known is None:
            known = _Spot(scene)
            if self._has_room(_OCTETS_PER_STEP):
                self._spots[scene] = known
        return known
