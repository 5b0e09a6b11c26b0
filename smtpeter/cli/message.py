"""`smtpeter message`: one message, and what happened to it."""

from __future__ import annotations

from typing import Any

import click

from smtpeter.cli.command import Command, Failed, Operator, pass_operator
from smtpeter.cli.output import answer, json_option, moment, moment_or_none, one_line
from smtpeter.cli.values import parse_message_id
from smtpeter.store import accounts
from smtpeter.store.events import Event
from smtpeter.store.messages import State
from smtpeter.store.queue import Story, message_story
from smtpeter.transform.comparison import Difference
from smtpeter.transform.draft import read_runs

INDENT = "  "


@click.command(cls=Command)
@click.argument("message_id", metavar="ID", type=parse_message_id)
@json_option
@pass_operator
def message(operator: Operator, *, message_id: str, as_json: bool) -> None:
    """Tell the story of one message: its facts, its events, what was changed in its HTML."""
    # it brings along what no other command needs
    from smtpeter.bases import Bases  # noqa: PLC0415
    from smtpeter.cli.changes import changes  # noqa: PLC0415

    bases = Bases.from_config(operator.config())
    with operator.database() as database, database.connect() as connection:
        story = message_story(connection, message_id)
        if story is None:
            raise Failed(f"there is no message {message_id!r}")
        number = story.parcel.account_id
        account = None if number is None else accounts.account_by_id(connection, number)
        changed = changes(connection, story, bases)
    document = _document(story, account.email if account else None)
    document["changes"] = [_change(each) for each in changed]
    answer(document, "\n".join(_lines(document)), as_json=as_json)


def _document(story: Story, account: str | None) -> dict[str, Any]:
    each, parcel = story.message, story.parcel
    waits = story.state is State.WAITING
    return {
        "message": each.id,
        "state": story.state.name.lower(),
        "recipient": str(each.recipient.mailbox),
        "receiver": each.destination,
        "attempts": each.attempts,
        "last_attempt": moment_or_none(each.attempted),
        "last_reply": story.last_reply,
        "next_attempt": moment(each.due) if waits else None,
        "deliver_by": moment(parcel.deliver_by),
        "finished": moment_or_none(story.finished),
        "submission": {
            "received": moment(parcel.received),
            "account": account,
            "login": parcel.login,
            "origin": parcel.origin,
            "protocol": parcel.trace.protocol,
            "client": parcel.trace.address,
            "helo": parcel.trace.helo,
            "sender": parcel.reverse_path,
            "octets": parcel.octets,
            "features": parcel.features.as_dict(),
            "tags": list(parcel.features.tags),
            "template_id": parcel.template_id,
        },
        "stages": _stages(story),
        "events": [_event(happened) for happened in story.events],
    }


def _stages(story: Story) -> list[dict[str, Any]]:
    """What the last attempt that tells of stages did, and how long it took."""
    written = [each.details["stages"] for each in story.events if "stages" in each.details]
    return [
        {"stage": stage, "milliseconds": milliseconds}
        for stage, milliseconds in read_runs(written[-1] if written else "")
    ]


def _change(each: Difference) -> dict[str, Any]:
    return {"lines": [one_line(line) for line in each.lines], "omitted": each.omitted}


def _event(happened: Event) -> dict[str, Any]:
    return {
        "time": moment(happened.time),
        "event": happened.kind,
        "details": dict(happened.details),
    }


def _lines(document: dict[str, Any], indent: str = "") -> list[str]:
    """A name and a value on each line; what is empty is left out."""
    width = max(map(len, document), default=0)
    lines: list[str] = []
    for name, value in document.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}", *_lines(value, indent + INDENT)]
        elif value and isinstance(value, list) and name in _LISTED:
            lines += _LISTED[name](value)
        elif value not in (None, "", []):
            shown = ", ".join(value) if isinstance(value, list) else str(value)
            lines.append(f"{indent}{name.ljust(width)}  {one_line(shown)}")
    return lines


def _stage_lines(stages: list[dict[str, Any]]) -> list[str]:
    return [f"stage {each['stage']}  {each['milliseconds']:.1f} ms" for each in stages]


def _event_lines(events: list[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for event in events:
        lines.append(f"{event['time']}  {event['event']}")
        lines += _lines(event["details"], INDENT)
    return lines


def _change_lines(changes: list[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for change in changes:
        lines += change["lines"]
        if change["omitted"]:
            lines.append(f"... and {change['omitted']} lines more")
    return lines


_LISTED = {"stages": _stage_lines, "events": _event_lines, "changes": _change_lines}
