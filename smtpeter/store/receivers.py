"""What is known of receivers, kept from one start to the next."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import field
from sqlalchemy import Connection, delete, insert, select

from smtpeter.store.tables import destinations, receivers
from smtpeter.values import frozen

REMEMBERED = 10_000
TOGETHER = 500


@frozen
class Destination:
    """
    Which receiver the mail for a destination goes to.

    Attributes:
        hosts: the most preferred first.
    """

    name: str
    receiver: str
    hosts: Sequence[str]


@frozen
class ReceiverNews:
    """
    What has changed.

    Attributes:
        states: JSON objects, by the name of the receiver.
        unremarkable: names of receivers of which nothing is worth keeping any more.
    """

    states: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    unremarkable: Sequence[str] = ()
    found: Sequence[Destination] = ()


def receiver_name(called: str, pool: str) -> str:
    """The name of a receiver, for mail that is sent from a pool of addresses."""
    return f"{called} ({pool})" if pool else called


def called(name: str) -> str:
    """What the receiver of that name is called, whatever the pool."""
    return name.partition(" (")[0]


def load(connection: Connection) -> dict[str, Any]:
    """
    The states of receivers by their names; of very many, those changed last.

    A state is as it was saved, or whatever else stands there, None where it is no JSON.
    """
    query = select(receivers).order_by(receivers.c.updated.desc()).limit(REMEMBERED)
    return {row.name: _read(row.state) for row in connection.execute(query)}


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def save(connection: Connection, news: ReceiverNews, now: float) -> None:
    """Keep what has changed."""
    for names in _parts([*news.states, *news.unremarkable]):
        connection.execute(delete(receivers).where(receivers.c.name.in_(names)))
    if news.states:
        rows = [
            {"name": name, "state": json.dumps(state), "updated": now}
            for name, state in news.states.items()
        ]
        connection.execute(insert(receivers), rows)
    found = {each.name: each for each in news.found}
    for names in _parts(found):
        connection.execute(delete(destinations).where(destinations.c.name.in_(names)))
    if found:
        rows = [
            {
                "name": each.name,
                "receiver": each.receiver,
                "hosts": json.dumps(list(each.hosts)),
                "updated": now,
            }
            for each in found.values()
        ]
        connection.execute(insert(destinations), rows)


def forget_old(connection: Connection, before: float) -> None:
    """Remove what has not changed since then: seconds since the epoch."""
    connection.execute(delete(receivers).where(receivers.c.updated < before))
    connection.execute(delete(destinations).where(destinations.c.updated < before))


def _parts(names: Iterable[str]) -> list[list[str]]:
    every = list(names)
    return [every[start : start + TOGETHER] for start in range(0, len(every), TOGETHER)]
