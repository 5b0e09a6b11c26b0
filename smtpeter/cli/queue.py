"""`smtpeter queue`: what waits, for whom, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click
from sqlalchemy import Connection

from smtpeter.cli.command import Commands, Failed, Operator, pass_operator
from smtpeter.cli.output import answer, json_option, moment, one_line, table
from smtpeter.cli.values import parse_message_id
from smtpeter.delivery.restraint import Restraint, restraint
from smtpeter.delivery.terms import limits_of
from smtpeter.store import queue as store
from smtpeter.store.accounts import account_by_id
from smtpeter.store.queue import ReceiverQueue
from smtpeter.store.receivers import called

SHOWN_CHARACTERS = 60

receiver_option = click.option(
    "--receiver", metavar="NAME", type=str.lower, help="The messages of this receiver alone."
)
id_argument = click.argument("message_id", metavar="[ID]", type=parse_message_id, required=False)


@click.group(cls=Commands, invoke_without_command=True)
@receiver_option
@json_option
@click.pass_context
@pass_operator
def queue(
    operator: Operator, context: click.Context, *, receiver: str | None, as_json: bool
) -> None:
    """Show the messages that wait for each receiver."""
    if context.invoked_subcommand is not None:
        if receiver is not None or as_json:
            raise click.UsageError(f"options belong behind {context.invoked_subcommand}")
        return
    with operator.database() as database, database.connect() as connection:
        found = store.overview(connection, receiver)
        delivery, now = operator.config().delivery, operator.now()
        told = [
            (each, restraint(limits_of(delivery, called(each.receiver)), each.state, now))
            for each in found
        ]
        refused = {account for _, restrained in told for account in restrained.refused_accounts}
        emails = {
            account: known.email if (known := account_by_id(connection, account)) else "-"
            for account in refused
        }
    headings = ("receiver", "depth", "oldest", "next attempt", "throttle", "last reply")
    rows = [
        (
            each.receiver,
            str(each.depth),
            moment(each.oldest),
            moment(max(each.next_attempt, restrained.until)),
            restrained.words(),
            one_line(restrained.why or each.last_reply, SHOWN_CHARACTERS),
        )
        for each, restrained in told
    ]
    text = table(headings, rows) if rows else "No message waits."
    document = [_document(each, restrained, emails) for each, restrained in told]
    answer(document, text, as_json=as_json)


@queue.command()
@id_argument
@receiver_option
@json_option
@pass_operator
def retry(
    operator: Operator, *, message_id: str | None, receiver: str | None, as_json: bool
) -> None:
    """Try again at once: one message, those of a receiver, or all."""
    _not_both(message_id, receiver)
    count = _change(operator, store.retry, message_id, receiver)
    answer({"retried": count}, f"{_messages(count)} will be tried at once.", as_json=as_json)


@queue.command()
@id_argument
@receiver_option
@json_option
@pass_operator
def cancel(
    operator: Operator, *, message_id: str | None, receiver: str | None, as_json: bool
) -> None:
    """End messages undelivered, and without a report: one, or those of a receiver."""
    _not_both(message_id, receiver)
    if message_id is None and receiver is None:
        raise click.UsageError("which message? Name its ID, or --receiver NAME")
    count = _change(operator, store.cancel, message_id, receiver)
    answer({"cancelled": count}, f"{_messages(count)} will not be delivered.", as_json=as_json)


def _change(
    operator: Operator, change: Callable[..., int], message_id: str | None, receiver: str | None
) -> int:
    with operator.database() as database, database.begin() as connection:
        count = change(connection, operator.now(), message_id=message_id, receiver=receiver)
        if not count and message_id is not None:
            raise Failed(_why_not(connection, message_id))
    if not count and receiver is not None:
        raise Failed(f"no message waits for {receiver!r}")
    return count


def _why_not(connection: Connection, message_id: str) -> str:
    story = store.message_story(connection, message_id)
    if story is None:
        return f"there is no message {message_id!r}"
    return f"the message {message_id!r} does not wait: it is {story.state.name.lower()}"


def _not_both(message_id: str | None, receiver: str | None) -> None:
    if message_id is not None and receiver is not None:
        raise click.UsageError("either an ID or --receiver, not both")


def _document(
    each: ReceiverQueue, restrained: Restraint, emails: Mapping[int, str]
) -> dict[str, Any]:
    return {
        "receiver": each.receiver,
        "depth": each.depth,
        "destinations": each.destinations,
        "oldest": moment(each.oldest),
        "next_attempt": moment(max(each.next_attempt, restrained.until)),
        "last_reply": each.last_reply,
        "on_their_way": restrained.on_their_way,
        "health": restrained.health,
        "refused_accounts": [emails[account] for account in restrained.refused_accounts],
        "throttle": {
            "connections": restrained.connections,
            "messages_per_connection": restrained.messages_per_connection,
            "messages_per_second": restrained.messages_per_second,
            "until": moment(restrained.until) if restrained.until else None,
            "why": restrained.why,
        },
        "last_replies": [
            {"time": moment(reply.time), "reply": reply.text, "class": reply.meaning}
            for reply in restrained.last_replies
        ],
    }


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"
