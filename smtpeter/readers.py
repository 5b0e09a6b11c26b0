"""What readers meet: the links and images in their mail, where these lead, and who came."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.applying import ApplyingDomains
from smtpeter.bases import Bases
from smtpeter.config import Config, ConfigError
from smtpeter.delivery.courier import draft_of
from smtpeter.events.places import Places
from smtpeter.events.recorder import Recorder
from smtpeter.fetching import Fetcher
from smtpeter.linkkeys import bounce_addresses, identifiers
from smtpeter.message.bounceaddress import BounceAddresses
from smtpeter.origins import LIMIT, Origins
from smtpeter.planning import Plans
from smtpeter.reworking import Reworking
from smtpeter.store import origins, queue, trackingkeys
from smtpeter.store.database import Database
from smtpeter.store.store import Store
from smtpeter.store.trackingkeys import TrackingKey
from smtpeter.threads import Threads, ThreadsEnded
from smtpeter.transform.identifier import Identifiers
from smtpeter.values import frozen
from smtpeter.web.tracking.copies import Copies
from smtpeter.web.tracking.hosted import HostedImages
from smtpeter.web.tracking.hosts import ReaderHosts
from smtpeter.web.tracking.reader import Tracking
from smtpeter.workers.pool import Workers
from smtpeter.workers.process import WorkerProcess

JOURNAL = "visits"
# How long links lead on, and images are there, after the message was sent.
KEEP_SECONDS = 400 * 86_400.0
MOST_WORKERS = 8
# What workers load before they are asked for anything.
MODULES = ("smtpeter.transform.textstages", "smtpeter.transform.inlinecss")


_log = Logger()


@frozen
class Links:
    """
    What tracked links are made of, and the addresses to which bounces come.

    Attributes:
        bases: where links point.
        keys: those that prove both at first, the newest first.
    """

    bases: Bases
    identifiers: Identifiers
    bounces: BounceAddresses
    keys: Sequence[TrackingKey]
    origins: Origins


def links(config: Config, database: Database, store: Store) -> Links:
    """
    Read what has to be known of links; from then on the database need not be reached.

    Raises:
        StoreError: the database cannot be used.
    """
    with database.begin() as connection:
        keys = trackingkeys.existing_keys(connection, time.time())
        known = origins.newest(connection, LIMIT)
    now = time.time()
    return Links(
        Bases.from_config(config),
        identifiers(keys, now),
        bounce_addresses(keys, now),
        keys,
        Origins(store, known),
    )


def reworking(store: Store, links: Links, domains: ApplyingDomains, workers: Workers) -> Reworking:
    """The stage for all that the texts of messages go through."""
    plans = Plans(store, links.bases, domains, KEEP_SECONDS)
    return Reworking(
        workers.call,
        plans.plan,
        links.identifiers,
        links.origins.numbers_of,
        plans.keep_images,
    )


@frozen
class Readers:
    """The parts that answer readers, and note who they were."""

    tracking: Tracking
    recorder: Recorder


def readers(
    config: Config,
    store: Store,
    threads: Threads,
    links: Links,
    rework: Reworking,
    places: Places,
    reactor: Any,
) -> Readers:
    """Everything that readers' browsers meet."""

    async def web_version(message_id: str) -> str | None:
        found = await store.read(queue.message_with_content, message_id)
        if found is None:
            return None
        return await rework.page(draft_of(*found))

    recorder = Recorder(store, config.state_dir / JOURNAL, places, threads.call, reactor)
    fetcher = Fetcher(reactor, private=config.http.allow_private_addresses)
    public = urlsplit(config.http.public_url).hostname or ""
    tracking = Tracking(
        ReaderHosts(store, config.tracking.host, public),
        links.identifiers,
        links.origins,
        Copies(fetcher, reactor),
        HostedImages(store),
        recorder.note,
        lambda message_id: Deferred.fromCoroutine(web_version(message_id)),
    )
    return Readers(tracking, recorder)


def renew_places(places: Places, threads: Threads) -> None:
    """Read the file of places again, if there is one; what cannot be used is logged."""
    if places:
        threads.call(places.reload).addCallbacks(_places_renewed, _places_stay)


def _places_renewed(_: object) -> None:
    _log.info("The file of tracking.places was read again")


def _places_stay(failure: Failure) -> None:
    if failure.check(ConfigError):
        _log.error("The places stay as they were: {error}", error=failure.getErrorMessage())
    elif not failure.check(ThreadsEnded):
        _log.failure("The places stay as they were", failure)


def workers(reactor: Any) -> Workers:
    """Processes for what would hold up everybody: as many as cores, so that all can be used."""
    count = max(2, len(os.sched_getaffinity(0)))
    start = partial(WorkerProcess, reactor=reactor, modules=MODULES)
    return Workers(min(count, MOST_WORKERS), start, reactor)
