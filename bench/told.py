"""What the daemon's database tells of how messages were transformed."""

import json
from dataclasses import dataclass
from statistics import median

from sqlalchemy import Connection, select

from bench.sink import NO_ID, find_id
from smtpeter.store.database import Database
from smtpeter.store.tables import events, messages, submissions
from smtpeter.transform.draft import read_runs


@dataclass(frozen=True)
class Skipped:
    """A stage whose work a message went without."""

    message_id: int
    stage: str
    reason: str


@dataclass(frozen=True)
class Told:
    """
    What events tell.

    Args:
        skipped: all stages that failed.
        stages_ms: the median of the times that each stage took, in milliseconds.
    """

    skipped: list[Skipped]
    stages_ms: dict[str, float]


def told(url: str) -> Told:
    database = Database.open(url)
    try:
        with database.connect() as connection:
            return Told(_skipped(connection), _stages_ms(connection))
    finally:
        database.close()


def _skipped(connection: Connection) -> list[Skipped]:
    query = (
        select(events.c.details, submissions.c.content)
        .select_from(events)
        .outerjoin(messages, messages.c.id == events.c.message)
        .outerjoin(submissions, submissions.c.key == messages.c.submission)
        .where(events.c.kind == "transform")
    )
    found = []
    for details, content in connection.execute(query):
        said = json.loads(details)
        message_id = find_id(content or b"")
        found.append(
            Skipped(NO_ID if message_id is None else message_id, said["stage"], said["description"])
        )
    return found


def _stages_ms(connection: Connection) -> dict[str, float]:
    query = select(events.c.details).where(events.c.kind == "delivery")
    times: dict[str, list[float]] = {}
    for details in connection.execute(query).scalars():
        for stage, milliseconds in read_runs(json.loads(details).get("stages", "")):
            times.setdefault(stage, []).append(milliseconds)
    return {stage: median(found) for stage, found in times.items()}
