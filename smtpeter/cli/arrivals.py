"""`smtpeter arrivals`: what came by mail to addresses of our own."""

from __future__ import annotations

from typing import Any

import click

from smtpeter.cli.command import Commands, Failed, Operator, pass_operator
from smtpeter.cli.output import answer, json_option, moment, moment_or_none, one_line, table
from smtpeter.cli.values import parse_arrival
from smtpeter.message.content import Content
from smtpeter.store import arrivals as store
from smtpeter.store.arrivals import Listed
from smtpeter.store.messages import load_content

LATEST = 50
ADDRESS_CHARACTERS = 30
# A terminal is no place for attachments.
SHOWN_OCTETS = 64 * 1024
WAITING = "waiting"


@click.group(cls=Commands, invoke_without_command=True)
@json_option
@click.pass_context
@pass_operator
def arrivals(operator: Operator, context: click.Context, *, as_json: bool) -> None:
    """List what came last to our own addresses: bounces, complaints, reports, letters."""
    if context.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError(f"options belong behind {context.invoked_subcommand}")
        return
    with operator.database() as database, database.connect() as connection:
        found = store.latest(connection, LATEST)
    headings = ("arrival", "received", "from", "to", "result", "message")
    rows = [
        (
            str(each.arrival.parcel.key),
            moment(each.arrival.parcel.received),
            one_line(each.arrival.parcel.reverse_path or "<>", ADDRESS_CHARACTERS),
            one_line(each.arrival.recipient, ADDRESS_CHARACTERS),
            each.result or WAITING,
            each.arrival.message,
        )
        for each in found
    ]
    text = table(headings, rows) if rows else "Nothing has come."
    answer([_document(each) for each in found], text, as_json=as_json)


@arrivals.command()
@click.argument("key", metavar="ARRIVAL", type=parse_arrival)
@json_option
@pass_operator
def show(operator: Operator, *, key: int, as_json: bool) -> None:
    """Show one of them, with its source."""
    with operator.database() as database, database.connect() as connection:
        found = store.one(connection, key)
        content = load_content(connection, key)
    if found is None:
        raise Failed(f"there is no arrival {str(key)!r}")
    document = _document(found)
    source = None if content is None else bytes(content).decode("utf-8", "replace")
    width = max(map(len, document))
    lines = [
        f"{name.ljust(width)}  {one_line(str(value))}" for name, value in document.items() if value
    ]
    text = "\n".join([*lines, "", *_source_lines(content)])
    answer(document | {"source": source}, text, as_json=as_json)


def _document(each: Listed) -> dict[str, Any]:
    parcel = each.arrival.parcel
    return {
        "arrival": str(parcel.key),
        "received": moment(parcel.received),
        "from": parcel.reverse_path,
        "to": each.arrival.recipient,
        "purpose": each.arrival.purpose.value,
        "result": each.result or WAITING,
        "message": each.arrival.message,
        "finished": moment_or_none(each.finished),
        "client": parcel.trace.address,
        "helo": parcel.trace.helo,
        "octets": parcel.octets,
    }


def _source_lines(content: Content | None) -> list[str]:
    if content is None:
        return ["The source is no longer kept."]
    octets = bytes(content)
    shown = octets[:SHOWN_OCTETS].decode("utf-8", "replace").splitlines()
    lines = ["".join(c if c.isprintable() or c == "\t" else " " for c in line) for line in shown]
    rest = len(octets) - SHOWN_OCTETS
    return [*lines, f"... and {rest} octets more"] if rest > 0 else lines
