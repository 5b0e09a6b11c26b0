"""
Which declarations an element gets, and in which order (CSS Cascading and Inheritance level 4).

In one `style` attribute the later declaration wins, and what a reader does not understand does
not count. So those of all rules are put into the order of the cascade, shorthands among
longhands, and only what a later one overrides for certain is left out.
"""

from __future__ import annotations

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
        elif _is_threatened(each, [rival for rival, _ in rivals]):
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
    overridden: set[str] = set()
    unjudged: list[Weighed] = []
    said: set[tuple[str, str]] = set()
    for each in reversed(ascending):
        name, value = each.declaration[:2]
        longhands = covered(name)
        for later in tuple(unjudged):
            other = later.declaration
            # alternatives within one rule are meant for readers of different age
            if later.weight == each.weight or longhands.isdisjoint(covered(other.name)):
                continue
            unjudged.remove(later)
            # with a variable it counts whatever its value turns out to be
            if uses_variables(other.value) or later.resolved or is_plain(other.name, other.value):
                overridden |= covered(other.name)
        if longhands <= overridden or (name, value) in said:
            continue
        said.add((name, value))
        kept.append(each)
        unjudged.append(each)
    return kept[::-1]


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


def _is_threatened(important: Weighed, rivals: Sequence[Weighed]) -> bool:
    """Whether it has to stay important so that what it beats in a sheet does not beat it."""
    longhands = covered(important.declaration.name)
    against = [
        rival for rival in rivals if not longhands.isdisjoint(covered(rival.declaration.name))
    ]
    return bool(against) and all(rival.weight < important.weight for rival in against)


def _text(declaration: Declaration) -> str:
    value = declaration.value
    if "\n" in value:
        value = " ".join(value.split())
    return f"{declaration.name}:{value}"
