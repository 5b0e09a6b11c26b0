"""The record that proves that somebody controls a domain."""

from __future__ import annotations

import secrets
import string

from smtpeter.domains import LONGEST_NAME, DomainError
from smtpeter.values import frozen

PREFIX = "smtpeter-"
NAME_CHARACTERS = 10
VALUE_CHARACTERS = 64

_NAME_ALPHABET = string.ascii_lowercase + string.digits
_VALUE_ALPHABET = string.ascii_letters + string.digits


@frozen
class Proof:
    """A TXT record that whoever controls the domain is asked to publish."""

    name: str
    value: str


def new_proof(domain: str) -> Proof:
    """
    A proof that nobody can guess.

    Raises:
        DomainError: the domain is so long that no name fits below it.
    """
    label = PREFIX + _word(_NAME_ALPHABET, NAME_CHARACTERS)
    name = f"{label}.{domain}"
    if len(name) > LONGEST_NAME:
        longest = LONGEST_NAME - len(label) - 1
        raise DomainError(f"{domain!r} is longer than {longest} characters: no proof fits below it")
    return Proof(name, _word(_VALUE_ALPHABET, VALUE_CHARACTERS))


def _word(alphabet: str, characters: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(characters))
