"""A set of style sheets at work: which element gets what, remembered from one mail to the next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from attrs import define, field

from smtpeter.transform.inlinecss import syntax
from smtpeter.transform.inlinecss.blanks import words
from smtpeter.transform.inlinecss.cascade import NOTHING, Styling, styling
from smtpeter.transform.inlinecss.facts import NO_FACTS, Facts, facts, passed
from smtpeter.transform.inlinecss.matching import Matcher, Possible, Scene
from smtpeter.transform.inlinecss.nesting import IMPLIED, Element
from smtpeter.transform.inlinecss.places import answers
from smtpeter.transform.inlinecss.plainselectors import PlainSelector
from smtpeter.transform.inlinecss.selectors import Specificity
from smtpeter.transform.inlinecss.splice import restyled
from smtpeter.transform.inlinecss.stylesheet import Place, Sheet, Stylesheets
from smtpeter.transform.inlinecss.syntax import Declaration
from smtpeter.transform.inlinecss.tree import has_text
from smtpeter.transform.inlinecss.variables import Variables, inherited, uses_variables
from smtpeter.transform.markup import Document
from smtpeter.transform.starttag import NO_INLINE, without_mark

# They are never shown where they belong, so they need no style there.
_IN_HEAD = frozenset({"meta", "link", "base", "noscript", "template"})
_UNSEEN = frozenset({"", "head", "title", "style", "script", "param", "source", "track"})
# What is kept in memory is about that many times as large as the text it was made from.
_OCTETS_PER_CHARACTER = 12
_OCTETS_PER_STEP = 700
# Of attributes and places. Real mail asks a hundred times less.
_MOST_ANSWERS = 300_000

# Name, facts of the start tag; then what the sheets ask of attributes and of the place.
_Traits: TypeAlias = tuple[object, ...]
_Self: TypeAlias = tuple[str, str | None, str | None]
_Matched: TypeAlias = tuple[tuple[Specificity, int], ...]


class TooInvolved(Exception):
    """A document would take too long, or become too long; the text says why."""


class Change(NamedTuple):
    """
    What becomes of an element.

    Attributes:
        number: of its start tag.
        known: what became of start tags like this, by their source.
        excepted: it is marked to be left alone, and the mark goes.
    """

    number: int
    styling: Styling
    known: dict[str, str]
    excepted: bool = False


class Outcome(NamedTuple):
    """
    What becomes of a document.

    Attributes:
        raised: declarations that stay in a sheet, and need to be made important, by sheet.
        unplaced: rules that meet an element which has no start tag in the source.
    """

    changes: list[Change]
    raised: Mapping[int, frozenset[Place]]
    unplaced: frozenset[int]


_NONE: frozenset[Place] = frozenset()
NO_CHANGES = Outcome([], {}, frozenset())


@define
class _Spot:
    """
    A scene, with what became of those who were seen in it.

    Attributes:
        variables: of the parent.
        reachable: what may be met there of selectors that were begun.
    """

    scene: Scene
    variables: Variables
    reachable: frozenset[int]
    steps: dict[_Traits, _Step] = field(factory=dict)


class _Step(NamedTuple):
    """
    What follows when an element with certain traits is met in a scene.

    Attributes:
        inside: where its children are met.
        behind: where its next sibling is.
        known: what became of start tags, by their source.
        rules: those that meet it.
    """

    inside: _Spot
    behind: _Spot
    styling: Styling
    known: dict[str, str]
    rules: tuple[int, ...]


class Styled:
    """
    Style sheets that were seen.

    Args:
        caseless: classes and ids are compared without regard to case.
        presentational: elements change also when they have styles but get none.
        most_octets: past that nothing more is remembered.
    """

    def __init__(
        self, sheets: Sequence[Sheet], *, caseless: bool, presentational: bool, most_octets: int
    ) -> None:
        self.octets = _OCTETS_PER_CHARACTER * sum(len(sheet.text) for sheet in sheets)
        self._most_octets = most_octets
        self._caseless = caseless
        self._presentational = presentational
        self._sheets = Stylesheets(sheets, caseless=caseless)
        self._matcher = Matcher()
        self._unread: defaultdict[str, list[tuple[PlainSelector, int]]] = defaultdict(list)
        for number, rule in enumerate(self._sheets.rules):
            for selector in rule.selectors:
                if isinstance(selector, PlainSelector):
                    self._unread[selector.subject].append((selector, number))
                else:
                    self._matcher.add(selector, number)
        self._possible: dict[_Traits, Possible] = {}
        self._stylings: dict[object, Styling] = {}
        self._spots: dict[tuple[Scene, Variables], _Spot] = {}
        self._seen: set[_Self] = set()
        self._leftovers: dict[tuple[int, frozenset[Place], frozenset[int]], str] = {}

    @property
    def is_idle(self) -> bool:
        """True when there is no rule that moves, so that no element can change."""
        return not self._presentational and not any(rule.moved for rule in self._sheets.rules)

    def outcome(self, document: Document, elements: Sequence[Element]) -> Outcome:
        """
        What becomes of the elements that are to change, and what that means for the sheets.

        Raises:
            TooInvolved: so much is asked about so many elements.
        """
        pieces = document.pieces
        known = [
            NO_FACTS if tag == IMPLIED else facts(pieces[2 * tag + 1]) for _, _, tag in elements
        ]
        self._read_selectors(elements, known)
        found: list[Change] = []
        unplaced: set[int] = set()
        tests = tuple(self._matcher.tests)
        asked = (len(tests) + len(self._matcher.questions)) * len(elements)
        if asked > _MOST_ANSWERS:
            raise TooInvolved(f"the style sheets ask {asked} questions about its elements")
        places: list[tuple[bool, ...]] = []
        if self._matcher.questions:
            places = answers(elements, tuple(self._matcher.questions), partial(has_text, document))
        spots = [
            self._spot(Scene(), ())
        ]  # that of the children of the element before, by its number
        for number, (parent, name, tag) in enumerate(elements):
            own = known[number]
            traits: _Traits = (name, own)
            if tests:
                traits += passed(tests, "" if tag == IMPLIED else pieces[2 * tag + 1])
            if places:
                traits += places[number]
            spot = spots[parent + 1]
            step = spot.steps.get(traits)
            if step is None:
                step = self._step(spot, traits)
            spots[parent + 1] = step.behind
            spots.append(step.inside)
            if tag == IMPLIED:
                unplaced.update(step.rules)
            elif own.excepted:
                found.append(Change(tag, NOTHING, {}, excepted=True))
            elif step.styling is not NOTHING and (
                name not in _IN_HEAD or elements[parent][1] != "head"
            ):
                found.append(Change(tag, step.styling, step.known))
        raised = _NONE.union(*(change.styling.raised for change in found))
        if raised:
            found = [
                _guarded(change, raised) if change.styling.guards else change for change in found
            ]
        by_sheet: defaultdict[int, set[Place]] = defaultdict(set)
        for place in raised:
            by_sheet[place.sheet].add(place)
        return Outcome(
            found,
            {sheet: frozenset(places) for sheet, places in by_sheet.items()},
            frozenset(unplaced),
        )

    def _read_selectors(self, elements: Sequence[Element], known: Sequence[Facts]) -> None:
        """Read those that may meet one of the elements: most of many sheets meet none, ever."""
        selves = {
            (element[1], own.classes, own.identifier)
            for element, own in zip(elements, known, strict=True)
        }
        strangers = selves - self._seen
        if not strangers:
            return
        subjects = {""}
        for tag, classes, identifier in strangers:
            names = [f".{each}" for each in words(classes or "")]
            names.append(f"#{identifier}")
            subjects.update(map(str.lower, names) if self._caseless else names)
            subjects.add(tag)
        read = False
        for subject in subjects & self._unread.keys():
            for selector, number in self._unread.pop(subject):
                self._matcher.add(selector.read(caseless=self._caseless), number)
                read = True
        if read:
            self._possible.clear()
            self._spots.clear()
        if self._has_room(_OCTETS_PER_STEP * len(strangers)):
            self._seen |= strangers

    def rewritten(self, source: str, change: Change) -> str:
        """The start tag of an element as it is to be."""
        text = change.known.get(source)
        if text is None:
            if change.excepted:
                return without_mark(source, NO_INLINE)[0]
            text = restyled(source, change.styling, presentational=self._presentational)
            # a tag with an address is seldom seen again
            if "://" not in source and self._has_room(_OCTETS_PER_STEP + 2 * len(text)):
                change.known[source] = text
        return text

    def leftover(self, number: int, outcome: Outcome) -> str:
        """What stays of a sheet."""
        key = (number, outcome.raised.get(number, _NONE), outcome.unplaced)
        known = self._leftovers.get(key)
        if known is None:
            known = self._sheets.leftover(*key)
            if self._has_room(_OCTETS_PER_STEP + 2 * len(known)):
                self._leftovers[key] = known
        return known

    def _has_room(self, octets: int) -> bool:
        if self.octets + octets > self._most_octets:
            return False
        self.octets += octets
        return True

    def _step(self, spot: _Spot, traits: _Traits) -> _Step:
        scene, variables = spot.scene, spot.variables
        matcher = self._matcher
        met = matcher.met(spot.reachable, self._nodes(traits))
        matched = matcher.rules(met)
        own_facts = traits[1]
        assert isinstance(own_facts, Facts)
        style = own_facts.style or ""
        own = variables
        if matched or "--" in style:
            own = inherited(variables, self._declared(matched, style))
        result = NOTHING
        asked = matched or uses_variables(style) or (style and self._presentational)
        if asked and traits[0] not in _UNSEEN:
            result = self._styling(matched, style, own)
        step = _Step(
            self._spot(matcher.inside(scene, met), own),
            self._spot(matcher.behind(scene, met), variables),
            result,
            {},
            tuple(number for _, number in matched) if traits[0] != "head" else (),
        )
        if self._has_room(_OCTETS_PER_STEP + 2 * len(str(traits))):
            spot.steps[traits] = step
        return step

    def _nodes(self, traits: _Traits) -> Possible:
        """The selectors that may meet an element, from what it is by itself."""
        name, own, *others = traits
        assert isinstance(own, Facts)
        key = (name, own.classes, own.identifier, *others)
        known = self._possible.get(key)
        if known is None:
            matcher = self._matcher
            classes, identifier = own.classes or "", own.identifier or ""
            if self._caseless:
                classes, identifier = classes.lower(), identifier.lower()
            asked = len(matcher.tests)
            person = matcher.person(
                str(name),
                identifier,
                classes,
                others[:asked],  # type: ignore[arg-type]
                others[asked:],  # type: ignore[arg-type]
            )
            known = matcher.possible(person)
            if self._has_room(_OCTETS_PER_STEP):
                self._possible[key] = known
        return known

    def _declared(self, matched: _Matched, style: str) -> list[Declaration]:
        """What sets custom properties, the weightiest last."""
        found = [
            each
            for _, number in matched
            if self._sheets.rules[number].moved
            for each in self._sheets.rules[number].declarations
        ]
        if "--" in style:
            found += syntax.declarations(syntax.uncommented(style))
        return sorted(found, key=lambda each: each.important)

    def _styling(self, matched: _Matched, style: str, variables: Variables) -> Styling:
        key = (matched, style, variables)
        known = self._stylings.get(key)
        if known is None:
            rules = self._sheets.rules
            given = [(specificity, number, rules[number]) for specificity, number in matched]
            text = syntax.uncommented(style)
            known = styling(
                [each for each in given if each[2].moved],
                [each for each in given if not each[2].moved],
                syntax.declarations(text),
                variables=variables,
                changing=self._sheets.variables_change,
                closed=syntax.is_closed(style),
            )
            changed = known.before or known.after or known.raised or known.guards
            if not (changed or (known.declared and self._presentational)):
                known = NOTHING
            if self._has_room(_OCTETS_PER_STEP + 2 * (len(known.before) + len(known.after))):
                self._stylings[key] = known
        return known

    def _spot(self, scene: Scene, variables: Variables) -> _Spot:
        known = self._spots.get((scene, variables))
        if known is None:
            known = _Spot(scene, variables, self._matcher.reachable(scene))
            if self._has_room(_OCTETS_PER_STEP):
                self._spots[scene, variables] = known
        return known


def _guarded(change: Change, raised: frozenset[Place]) -> Change:
    """The change with what has to stand up against declarations that others made important."""
    guards = [text for place, text in change.styling.guards if place in raised]
    if not guards:
        return change
    after = ";".join([*filter(None, (change.styling.after,)), *dict.fromkeys(guards)])
    return change._replace(styling=change.styling._replace(after=after), known={})
