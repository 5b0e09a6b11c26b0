"""How a receiver is called, and what it is spared: by the operator, else by what is built in."""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from smtpeter.config.sections import Delivery, Limits
from smtpeter.delivery.providers import provider_limits
from smtpeter.delivery.route import Way


def terms_of(delivery: Delivery, way: Way) -> tuple[str, Limits]:
    """
    The name of the receiver at the end of a way, and its limits.

    The operator may have named the receiver, one of its hosts, or a domain above a host. One
    who names a domain that mail is for makes that domain a receiver of its own.
    """
    own = delivery.receivers
    receiver = without_port(way.receiver)
    if receiver in own:
        return way.receiver, own[receiver]
    if way.destination in own:
        return way.destination, own[way.destination]
    for name in _above(way):
        if name in own:
            return way.receiver, own[name]
    return way.receiver, limits_of(delivery, way.receiver)


def limits_of(delivery: Delivery, name: str) -> Limits:
    """The limits of a receiver by its name alone."""
    own = delivery.receivers.get(without_port(name))
    if own is not None:
        return own
    general = delivery.limits
    provider = provider_limits(name)
    if provider is None:
        return general
    rates = (general.messages_per_second, provider.messages_per_second)
    return attrs.evolve(
        general,
        connections=min(general.connections, provider.connections),
        messages_per_connection=min(
            general.messages_per_connection, provider.messages_per_connection
        ),
        messages_per_second=min((each for each in rates if each is not None), default=None),
    )


def without_port(receiver: str) -> str:
    """The name by which the configuration knows a receiver: a smart host without its port."""
    return re.sub(r":\d+$", "", receiver)


def _above(way: Way) -> Iterator[str]:
    """The names of the hosts, the most preferred first, each with the domains above it."""
    for each in way.exchangers:
        labels = each.name.split(".")
        for start in range(len(labels) - 1):
            yield ".".join(labels[start:])
