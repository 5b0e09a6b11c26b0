"""`smtpeter link-key`: the keys that prove tracked links."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy.exc import IntegrityError

from smtpeter.cli.command import Commands, Failed, Operator, pass_operator
from smtpeter.cli.output import answer, json_option, moment, table
from smtpeter.store import trackingkeys
from smtpeter.store.trackingkeys import TrackingKey, maker


@click.group("link-key", cls=Commands)
def link_key() -> None:
    """Keys that prove tracked links. They are secret, and never shown."""


@link_key.command("list")
@json_option
@pass_operator
def list_keys(operator: Operator, *, as_json: bool) -> None:
    """List the keys: which makes links, which are still read."""
    with operator.database() as database, database.connect() as connection:
        found = trackingkeys.keys(connection)
    making = maker(found, operator.now()) if found else None
    rows = [(each, _state(each, making)) for each in reversed(found)]
    lines = [
        (str(each.number), moment(each.created), moment(each.in_use_since), state)
        for each, state in rows
    ]
    text = table(("number", "created", "in use since", "state"), lines)
    answer([_document(each) | {"state": state} for each, state in rows], text, as_json=as_json)


@link_key.command("rotate")
@json_option
@pass_operator
def rotate(operator: Operator, *, as_json: bool) -> None:
    """Make a new key for new links; links in mail that was sent lead on."""
    try:
        with operator.database() as database, database.begin() as connection:
            made = trackingkeys.add_key(connection, operator.now())
    except IntegrityError:
        raise Failed("somebody else has made a key at the same moment") from None
    text = (
        f"Key {made.number} was made. New links have it from {moment(made.in_use_since)} on; "
        "those of older keys lead on."
    )
    answer(_document(made), text, as_json=as_json)


def _state(key: TrackingKey, making: TrackingKey | None) -> str:
    """A key that is newer than the one that makes links waits for its time."""
    if making is None or key == making:
        return "makes links"
    return "waits" if key.number > making.number else "still read"


def _document(key: TrackingKey) -> dict[str, Any]:
    return {
        "number": key.number,
        "created": moment(key.created),
        "in_use_since": moment(key.in_use_since),
    }
