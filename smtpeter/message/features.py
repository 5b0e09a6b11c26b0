"""What may be done to a message on its way out, and who decides it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from smtpeter.values import frozen

SWITCHES = ("inlinecss", "trackclicks", "trackopens", "trackbounces", "preventscam")
IMAGES = ("default", "hosted")
PRIORITIES = HIGH, NORMAL, BULK = ("high", "normal", "bulk")
MAX_TAGS = 50
MAX_TAG_CHARACTERS = 100
HEADER_PREFIX = "x-smtpeter-"

# Two generations of names are published and in use; each of them works everywhere.
SPELLINGS: Mapping[str, str] = {
    "inlinecss": "inlinecss",
    "inlinizecss": "inlinecss",
    "inlineizecss": "inlinecss",
    "trackclicks": "trackclicks",
    "clicktracking": "trackclicks",
    "trackopens": "trackopens",
    "openstracking": "trackopens",
    "trackbounces": "trackbounces",
    "bouncetracking": "trackbounces",
    "preventscam": "preventscam",
}

_BOOLEANS = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}
_TAG = re.compile(r"[^\s;,\x00-\x1f\x7f-\x9f\ud800-\udfff]+\Z")


@frozen
class Features:
    """
    The features of one message, all decided.

    Attributes:
        images: "hosted" takes embedded images out of the message, "default" leaves them.
        tags: in the order given, without duplicates.
        priority: one of `PRIORITIES`: among which mail of its account it waits to go out.
    """

    inlinecss: bool = False
    trackclicks: bool = False
    trackopens: bool = False
    trackbounces: bool = False
    preventscam: bool = False
    images: str = "default"
    tags: tuple[str, ...] = ()
    priority: str = NORMAL

    def overridden(self, overrides: Overrides) -> Features:
        """These features where `overrides` is silent, and what it says where it speaks."""
        if overrides is SILENCE or overrides == SILENCE:
            return self
        said = {
            name: value
            for name, value in attrs.asdict(overrides, recurse=False).items()
            if value is not None
        }
        return attrs.evolve(self, **said)

    def switched_on(self) -> tuple[str, ...]:
        """The names of the active switches, in the order that log files list them."""
        order = ("preventscam", "inlinecss", "trackbounces", "trackopens", "trackclicks")
        return tuple(name for name in order if getattr(self, name))

    def as_dict(self) -> dict[str, Any]:
        """
        For a store or a JSON document; `from_dict` reads it back.

        Tags and priority have places of their own.
        """
        return {**{name: getattr(self, name) for name in SWITCHES}, "images": self.images}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], tags: Iterable[str] = ()) -> Features:
        known: dict[str, Any] = {name: bool(values[name]) for name in SWITCHES if name in values}
        return cls(**known, images=str(values.get("images", "default")), tags=tuple(tags))


@frozen
class Overrides:
    """What one level of the precedence says about the features; None is silence."""

    inlinecss: bool | None = None
    trackclicks: bool | None = None
    trackopens: bool | None = None
    trackbounces: bool | None = None
    preventscam: bool | None = None
    images: str | None = None
    tags: tuple[str, ...] | None = None
    priority: str | None = None


SILENCE = Overrides()
REST_DEFAULTS = Features(trackclicks=True, trackopens=True, trackbounces=True)
ALL_ON = Features(
    inlinecss=True,
    trackclicks=True,
    trackopens=True,
    trackbounces=True,
    preventscam=True,
    images="hosted",
)


def parse_boolean(text: str) -> bool | None:
    """True or False for the words that mean it in any case, None for anything else."""
    return _BOOLEANS.get(text.strip().lower())


def parse_images(text: str) -> str | None:
    """'hosted' or 'default', None for anything else."""
    word = text.strip().lower()
    return word if word in IMAGES else None


def parse_priority(text: str) -> str | None:
    """'high', 'normal' or 'bulk', None for anything else."""
    word = text.strip().lower()
    return word if word in PRIORITIES else None


def valid_tag(tag: str) -> bool:
    """True for 1 to 100 characters without white space, control, comma and semicolon."""
    return len(tag) <= MAX_TAG_CHARACTERS and _TAG.match(tag) is not None


# What each header decides, by its name: the attribute, what reads its value, what others are.
_OPTIONS: Mapping[str, tuple[str, Callable[[str], Any], str]] = {
    **{name: (of, parse_boolean, "neither true nor false") for name, of in SPELLINGS.items()},
    "images": ("images", parse_images, "neither hosted nor default"),
    "priority": ("priority", parse_priority, "neither high nor normal nor bulk"),
}


def overrides_from_headers(
    fields: Iterable[tuple[str, str]],
) -> tuple[Overrides, tuple[str, ...]]:
    """
    Read the instruction headers of a message.

    Args:
        fields: name in lower case and unfolded value of each `x-smtpeter-` header, in order.

    Returns:
        What they say, and a warning for each value that says nothing. The last valid
        occurrence of an option wins; the tags of all occurrences are joined.
    """
    said: dict[str, Any] = {}
    tags: dict[str, None] = {}
    warnings: list[str] = []
    for name, value in fields:
        option = name.removeprefix(HEADER_PREFIX)
        if option in _OPTIONS:
            attribute, parse, otherwise = _OPTIONS[option]
            verdict = parse(value)
            if verdict is None:
                warnings.append(f"{name}: {value!r} is {otherwise}")
            else:
                said[attribute] = verdict
        elif option == "tags":
            for tag in filter(None, (item.strip() for item in value.split(","))):
                if tag in tags or (valid_tag(tag) and len(tags) < MAX_TAGS):
                    tags[tag] = None
                else:
                    warnings.append(f"{name}: {tag!r} was dropped")
    if tags:
        said["tags"] = tuple(tags)
    return Overrides(**said), tuple(warnings)
