"""
Which declarations an element gets, and in which order (CSS Cascading and Inheritance level 4).

In one `style` attribute the later declaration wins, and what a reader does not understand does
not count. So those of all rules are put into the order of the cascade, shorthands among
longhands, and only what a later one overrides for certain is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from smtpeter.transform.inlinecss.properties import covered, is_plain
from smtpeter.transform.inlinecss.selectors import Specificity
from smtpeter.transform.inlinecss.stylesheet import Place, Rule
from smtpeter.transform.inlinecss.syntax import Declaration
from smtpeter.transform.inlinecss.variables import Variables, resolved, uses_variables

# important, from the style attribute, specificity, number of the rule
Weight: TypeAlias = tuple[bool, bool, Specificity, int]

_OF_ATTRIBUTE: tuple[Specificity, int] = ((0, 0, 0), -1)


class Weighed(NamedTuple):
    """
    A declaration and what it weighs: the heaviest wins.

    Attributes:
        resolved: variables in its value were replaced.
    """

    weight: Weight
    declaration: Declaration
    resolved: bool = False


class Styling(NamedTuple):
    """
    What goes into a `style` attribute.

    Attributes:
        before: declarations to stand before those that are there.
        after: those to stand behind them.
        raised: declarations that stay in a sheet and would win, and now would not.
        guards: what would have to be important if a declaration in a sheet became so.
        declared: names and values of all, those that are there included; the later ones win.
    """

    before: str
    after: str
    raised: frozenset[Place]
    guards: tuple[tuple[Place, str], ...]
    declared: tuple[tuple[str, str], ...]


NOTHING = Styling("", "", frozenset(), (), ())


def styling(
    moved: Sequence[tuple[Specificity, int, Rule]],
    kept: Sequence[tuple[Specificity, int, Rule]],
    attribute: Sequence[Declaration],
    *,
    variables: Variables = (),
    changing: bool = False,
    closed: bool = True,
) -> Styling:
    """
    Work out what an element gets.

    Args:
        moved: the rules that meet it, each with its specificity and its number.
        kept: rules that stay and may meet it.
        attribute: what its own `style` attribute says.
        variables: its custom properties.
        changing: sheets that stay may change them.
        closed: further declarations may stand behind those.
    """
    own = [Weighed((each.important, True, *_OF_ATTRIBUTE), each) for each in attribute]
    given = sorted([*_weighed(moved), *own], key=lambda each: each.weight)
    given = _trimmed([_resolved(each, variables) for each in given])
    rivals = [
        (rival, rule.place(rival.declaration))
        for specificity, number, rule in kept
        for rival in _weighed([(specificity, number, rule)])
    ]
    winners = _winners(given)
    raised = frozenset(
        place
        for rival, place in rivals
        if not rival.declaration.important and _would_win(rival, winners)
    )
    rivals_of: defaultdict[str, list[Weighed]] = defaultdict(list)
    for rival, _ in rivals:
        for longhand in covered(rival.declaration.name):
            rivals_of[longhand].append(rival)
    before: list[str] = []
    after: list[str] = []
    for each in given:
        declaration = each.declaration
        if each.weight[1]:  # stands there, but for its variables
            if each.resolved and changing:
                before.append(_text(declaration))
            elif each.resolved and closed:
                after.append(_text(declaration) + "!important" * declaration.important)
        elif not declaration.important:
            before.append(_text(declaration))
        elif not closed:
            before.append(f"{_text(declaration)}!important")
        elif _is_threatened(each, rivals_of):
            after.append(f"{_text(declaration)}!important")
        else:
            after.append(_text(declaration))
    declared = tuple(each.declaration[:2] for each in given)
    guards = tuple(_guards(winners, rivals)) if closed else ()
    return Styling(";".join(before), ";".join(after), raised, guards, declared)


def _resolved(weighed: Weighed, variables: Variables) -> Weighed:
    declaration = weighed.declaration
    if not uses_variables(declaration.value):
        return weighed
    value = resolved(declaration.value, variables)
    if not value:
        return weighed
    return Weighed(weighed.weight, declaration._replace(value=value), resolved=True)


def _weighed(rules: Iterable[tuple[Specificity, int, Rule]]) -> list[Weighed]:
    return [
        Weighed((each.important, False, specificity, number), each)
        for specificity, number, rule in rules
        for each in rule.declarations
        if not each.name.startswith("--")
    ]


def _trimmed(ascending: Sequence[Weighed]) -> list[Weighed]:
    """Leave out what is overridden by another rule for every reader."""
    kept: list[Weighed] = []
    heavier = _Heavier()
    # alternatives within one rule are meant for readers of different age
    of_one_rule: list[Weighed] = []
    said: set[tuple[str, str]] = set()
    for each in reversed(ascending):
        if of_one_rule and of_one_rule[0].weight != each.weight:
            heavier.add(of_one_rule)
            of_one_rule = []
        declaration = each.declaration
        said_it = (declaration.name, declaration.value)
        if heavier.override(covered(declaration.name)) or said_it in said:
            continue
        said.add(said_it)
        kept.append(each)
        of_one_rule.append(each)
    return kept[::-1]


class _Heavier:
    """Declarations that weigh more than those to come, judged when one of these is at stake."""

    def __init__(self) -> None:
        self._overridden: set[str] = set()
        self._unjudged: defaultdict[str, list[Weighed]] = defaultdict(list)

    def add(self, those: Iterable[Weighed]) -> None:
        for each in those:
            for longhand in covered(each.declaration.name):
                self._unjudged[longhand].append(each)

    def override(self, longhands: frozenset[str]) -> bool:
        """Whether they override all of these for every reader."""
        for longhand in longhands:
            for each in self._unjudged.pop(longhand, ()):
                declaration = each.declaration
                # with a variable it counts whatever its value turns out to be
                if (
                    uses_variables(declaration.value)
                    or each.resolved
                    or is_plain(declaration.name, declaration.value)
                ):
                    self._overridden |= covered(declaration.name)
        return longhands <= self._overridden


def _winners(given: Sequence[Weighed]) -> dict[str, Weighed]:
    """For each longhand what sets it in the end."""
    return {longhand: each for each in given for longhand in covered(each.declaration.name)}


def _would_win(rival: Weighed, winners: Mapping[str, Weighed]) -> bool:
    """Whether it is at least as heavy as what the element is given in its place."""
    return any(
        longhand in winners and winners[longhand].weight <= rival.weight
        for longhand in covered(rival.declaration.name)
    )


def _guards(
    winners: Mapping[str, Weighed], rivals: Sequence[tuple[Weighed, Place]]
) -> Iterator[tuple[Place, str]]:
    """Winners over declarations that stay, which they would lose to if those became important."""
    settled = {
        longhand
        for rival, _ in rivals
        if rival.declaration.important
        for longhand in covered(rival.declaration.name)
    }
    for rival, place in rivals:
        for longhand in covered(rival.declaration.name) - settled:
            winner = winners.get(longhand)
            if winner and not winner.declaration.important and winner.weight > rival.weight:
                yield place, f"{_text(winner.declaration)}!important"


def _is_threatened(important: Weighed, rivals_of: Mapping[str, Sequence[Weighed]]) -> bool:
    """Whether it has to stay important so that what it beats in a sheet does not beat it."""
    against = [
        rival
        for longhand in covered(important.declaration.name)
        for rival in rivals_of.get(longhand, ())
    ]
    return bool(against) and all(rival.weight < important.weight for rival in against)


def _text(declaration: Declaration) -> str:
    value = declaration.value
    if "\n" in value:
        value = " ".join(value.split())
    return f"{declaration.name}:{value}"
