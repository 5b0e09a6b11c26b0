"""What the stages changed in the HTML of a message: worked out again, for whoever asks."""

from __future__ import annotations

import math

from sqlalchemy import Connection

from smtpeter import linkkeys
from smtpeter.bases import Bases
from smtpeter.message.author import author_domain
from smtpeter.message.content import Content
from smtpeter.planning import stages_for
from smtpeter.reworking import names
from smtpeter.store import domains, messages, origins, settings, trackingkeys
from smtpeter.store.domains import SenderDomain
from smtpeter.store.messages import Message
from smtpeter.store.queue import Story
from smtpeter.transform.comparison import Difference, difference
from smtpeter.transform.rework import Texts, reworked_texts


def changes(connection: Connection, story: Story, bases: Bases) -> list[Difference]:
    """
    Compare the texts of a message as submitted and as delivered, those that differ.

    The same stages do the same to it once more, with today's settings; those that were
    skipped are skipped. There is nothing to compare when the content is no longer kept.
    """
    parcel = story.parcel
    content = messages.load_content(connection, parcel.key)
    if content is None:
        return []
    of_login = settings.settings_of(connection, parcel.origin, parcel.account_id, parcel.login)
    base = bases.of(_sender_domain(connection, parcel.account_id, content))
    skipped = {each.details.get("stage") for each in story.events if each.kind == "transform"}
    stages = [
        stage
        for stage in stages_for(parcel.features, of_login, content, base)
        if stage.name not in skipped
    ]
    texts = reworked_texts(bytes(content), stages)
    put = identifiers(connection, story.message, texts)
    return [
        difference(body.before.text, texts.marks.replaced(body.text, put))
        for body in texts.bodies
        if body.text != body.before.text
    ]


def _sender_domain(
    connection: Connection, account_id: int | None, content: Content
) -> SenderDomain | None:
    author = author_domain(content)
    if account_id is None or author is None:
        return None
    return domains.applying_domain(connection, account_id, author)


def identifiers(connection: Connection, message: Message, texts: Texts) -> list[str]:
    """The identifiers that stand in a message; empty ones while none were ever made."""
    slots = texts.marks.slots
    keys = trackingkeys.keys(connection)
    numbers = origins.known_numbers(connection, {slot.origin for slot in slots if slot.origin})
    if not keys or any(slot.origin and slot.origin not in numbers for slot in slots):
        return [""] * len(slots)
    made = math.inf if message.attempted is None else message.attempted
    return names(linkkeys.identifiers(keys, made), message.id, slots, numbers)
