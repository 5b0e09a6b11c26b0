"""`twistd smtpeter`: the one place where the parts meet."""

from __future__ import annotations

import gc
import os
import sys
import time
from datetime import UTC, datetime
from socket import socket
from typing import Any

from twisted.application.service import IService, Service
from twisted.cred.portal import Portal
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python import usage

from smtpeter import config as configuration
from smtpeter.accounts.attempts import FailureLimit
from smtpeter.accounts.checker import PasswordChecker, TokenChecker
from smtpeter.accounts.identities import Identities
from smtpeter.accounts.realm import SenderRealm
from smtpeter.accounts.verifying import PasswordVerifier
from smtpeter.admission import AdmissionDesk, AdmissionRules
from smtpeter.applying import ApplyingDomains
from smtpeter.arrivals.addresses import OwnAddresses
from smtpeter.arrivals.processing import Arrivals, Forwarding
from smtpeter.arrivals.reception import Reception
from smtpeter.budget import ContentBudget
from smtpeter.config import Config, ConfigError
from smtpeter.delivery.book import ReceiverBook
from smtpeter.delivery.carrier import ICarrier
from smtpeter.delivery.carriers import carrier_for
from smtpeter.delivery.contents import ContentSource
from smtpeter.delivery.courier import STORE_TROUBLE, Courier
from smtpeter.delivery.envelopes import Envelopes
from smtpeter.delivery.notices import DelayNotices
from smtpeter.delivery.nudges import NudgeWatch
from smtpeter.delivery.queue import DeliveryQueue
from smtpeter.delivery.receivers import QueueSettings
from smtpeter.delivery.reports import ReportWriter
from smtpeter.delivery.schedule import Schedule
from smtpeter.delivery.security.results import TlsResults
from smtpeter.delivery.terms import terms_of
from smtpeter.dnslookup import dns_names
from smtpeter.events.places import Places
from smtpeter.firststart import first_start
from smtpeter.housekeeping import Housekeeping
from smtpeter.intake import Intake, IntakeSettings
from smtpeter.lifecycle import RootService, SideBySide, StagedService
from smtpeter.linkkeys import LinkKeys
from smtpeter.listeners import smtp_listeners
from smtpeter.message.address import Mailbox
from smtpeter.message.deliverystatus import mail_domain
from smtpeter.message.features import HEADER_PREFIX
from smtpeter.ports import PortService, claim
from smtpeter.readers import Links, readers, renew_places, reworking, workers
from smtpeter.readers import links as links_of
from smtpeter.renewal import Current, Renewal
from smtpeter.reworking import Reworking
from smtpeter.rotation import KeyRotation
from smtpeter.signing import Signing
from smtpeter.smtp.server import ServerSettings, Surroundings
from smtpeter.smtp.session import Limits
from smtpeter.smtp.sessions import SmtpSessions
from smtpeter.smtp.surroundings import Home
from smtpeter.statelock import StateLock
from smtpeter.store import messages, queue
from smtpeter.store.database import Database, StoreError
from smtpeter.store.keys import KeySource
from smtpeter.store.queue import Nudge
from smtpeter.store.store import Store
from smtpeter.store.suppressions import Lifetimes
from smtpeter.suppressing import Suppressing
from smtpeter.threads import Threads, ThreadsEnded
from smtpeter.tls import CertificateWatch, ServerTLS, server_tls
from smtpeter.transform.complaintfields import feedback_sender_of
from smtpeter.transform.instructions import remove_instructions
from smtpeter.transform.pipeline import Pipeline, Stage, always
from smtpeter.transform.topfields import add_top_fields
from smtpeter.units import Endpoint
from smtpeter.values import frozen
from smtpeter.web.api import submission as web
from smtpeter.web.root import root_resource
from smtpeter.web.site import Site, SiteService
from smtpeter.web.tracking.reader import Tracking
from smtpeter.web.tracking.root import TrackingRoot
from smtpeter.workers.job import WorkersBusy, WorkersEnded
from smtpeter.workers.pool import Workers

# While one thread runs Python, another waits this long for its turn at most; the default
# of 5 ms is what a message would wait several times on its way.
SWITCH_SECONDS = 0.0005
COLLECTOR_THRESHOLDS = (10_000, 20, 50)
# What one receiver may have of the memory for contents on their way: a fourth.
RECEIVER_SHARE = 4


_log = Logger()


class Options(usage.Options):
    """What `twistd smtpeter` takes."""

    optParameters = [  # noqa: RUF012 - Twisted's way
        ["config", "c", None, "The configuration file; SMTPETER_CONFIG names one as well."]
    ]


def makeService(options: Options) -> IService:
    """
    Build the service out of its parts.

    What an operator can mend ends the start with one line and status 1, before the
    process becomes a daemon.
    """
    from twisted.internet import reactor  # noqa: PLC0415 - installed by now, not before

    try:
        return build(configuration.load(options["config"]), reactor)
    except (ConfigError, StoreError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


def build(config: Config, reactor: Any) -> IService:
    """
    The whole service for a configuration; its ports are claimed, its database is open.

    Raises:
        ConfigError, StoreError: their text is one line for the operator.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    for doubt in configuration.doubts(config):
        _log.warn("{doubt}", doubt=doubt)
    make_state_directory(config)
    lock = StateLock(config.state_dir)
    tls = server_tls(config, datetime.now(UTC))
    places = Places.open(config.tracking.places)
    claimed = claim_ports(config)
    database = Database.open(config.database.url, config.state_dir)
    if config.path is None:
        first_start(database, config, sys.stdout)

    store = Store(database, reactor, config.database.min_free_octets)
    threads = Threads(reactor)
    with database.connect() as connection:
        keys = KeySource(time.time, messages.greatest_key(connection))
    links = links_of(config, database, store)
    # twistd may fork now, and no connection can be taken along; the store makes new ones.
    database.close()
    current = Current(config)
    helpers = workers(reactor)
    domains = ApplyingDomains(store)
    rework = reworking(store, links, domains, helpers)
    met = readers(config, store, threads, links, rework, places, reactor)
    envelopes = Envelopes(domains, links.bounces, config.tracking.bounce_host)
    results = TlsResults(store, reactor)
    outbound = take_out(current, keys, store, results, threads, rework, envelopes, reactor)
    portal = let_in(config, keys, store, threads, domains, outbound)
    budget = ContentBudget(config.smtp.max_content_in_flight_octets)
    came = take_back(config, keys, store, threads, helpers, links, outbound, reactor)
    around = smtp_surroundings(config, portal, budget, tls, came.reception, reactor)
    smtp = smtp_listeners(config.smtp, around, tls)
    https = site(config, portal, budget, threads, met.tracking, reactor, https=True)
    http = site(config, portal, budget, threads, met.tracking, reactor, https=False)
    behind: dict[Endpoint, Any] = {
        **smtp.behind,
        **dict.fromkeys(config.http.https, TLSMemoryBIOFactory(tls, False, https)),
        **dict.fromkeys(config.http.http, http),
    }

    # Ports stop first, so that nothing new comes; then whoever is at work; the store last.
    work = SideBySide(reactor)
    fill(work, outbound.queue, outbound.nudges, outbound.notices)
    fill(work, SmtpSessions(smtp.factories, reactor))
    fill(work, SiteService(https), SiteService(http))
    ports = SideBySide(reactor)
    fill(ports, *(PortService(reactor, port, behind[each]) for each, port in claimed.items()))
    root = RootService(reactor, (ConfigError, StoreError))
    renewal = Renewal(
        current,
        tls,
        outbound.queue.limits_changed,
        lambda: renew_places(places, threads),
        reactor,
    )
    keeping = Housekeeping(store, config.database.keep_seconds, reactor)
    link_keys = LinkKeys(store, [links.identifiers, links.bounces], links.keys, reactor)
    fill(root, lock, store, results, threads, helpers, met.recorder, renewal)
    fill(root, CertificateWatch(tls, reactor), keeping, link_keys)
    if config.dns.hosted:
        names, seconds = dns_names(config, reactor), config.dns.rotation_seconds
        fill(root, KeyRotation(store, names, threads.call, seconds, reactor))
    fill(root, came.arrivals, work, ports)
    calm_the_collector()
    return root


def fill(group: StagedService, *parts: Service) -> None:
    """Put services into a group, in the order in which they start."""
    for part in parts:
        part.setServiceParent(group)


def calm_the_collector() -> None:
    """
    Have Python look for cycles seldom, and not among what was there at the start.

    Most of what a message leaves behind is freed without the collector. By its defaults it
    would walk over every object of the program several times a second, and hold up
    everybody for tens of milliseconds each time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def make_state_directory(config: Config) -> None:
    """
    Make the directory for all that the service keeps.

    Raises:
        ConfigError: it cannot be made, or not be written to.
    """
    directory = config.state_dir
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"state_dir: {directory} cannot be made: {error.strerror}") from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigError(f"state_dir: {directory} cannot be written to")


def claim_ports(config: Config) -> dict[Endpoint, socket]:
    """
    Every port that will be served.

    Raises:
        ConfigError: one cannot be had.
    """
    return {
        endpoint: claim(endpoint, key)
        for key, endpoints in config.listeners().items()
        for endpoint in endpoints
    }


@frozen
class Outbound:
    """The parts that take mail out of the house."""

    carrier: ICarrier
    queue: DeliveryQueue
    nudges: NudgeWatch[Nudge]
    notices: DelayNotices


def take_out(
    current: Current,
    keys: KeySource,
    store: Store,
    results: TlsResults,
    threads: Threads,
    rework: Reworking,
    envelopes: Envelopes,
    reactor: Any,
) -> Outbound:
    """Everything from the queue to the receivers."""
    config = current.config
    settings = config.delivery
    carrier = carrier_for(config, store, results, threads.call, reactor)
    contents = ContentSource(store)
    prefixes = (HEADER_PREFIX, *config.smtp.header_prefixes)
    tracking = config.tracking
    sender = ""
    if tracking.complaint_fields:
        sender = tracking.feedback_sender or feedback_sender_of(config.hostname)
    pipeline = Pipeline(
        [
            Stage("texts", always, rework.apply),
            Stage("instructions", always, lambda draft: remove_instructions(draft, prefixes)),
            Stage("fields", always, lambda draft: add_top_fields(draft, config.hostname, sender)),
            # nothing may change a message that is signed
            Stage("dkim", always, Signing(store, threads.call).apply),
        ],
        reactor,
        (*STORE_TROUBLE, WorkersBusy, WorkersEnded, ThreadsEnded),
    )
    courier = Courier(
        store,
        carrier,
        pipeline,
        contents,
        ContentBudget(settings.max_content_in_flight_octets),
        ReportWriter(config.hostname, keys, carrier.destination_of, threads.call),
        Schedule(settings.retry_seconds),
        settings.delay_notice_seconds,
        reactor,
        envelope_for=envelopes.envelope_for,
        lifetimes=lifetimes(config),
    )
    limits = QueueSettings(
        settings.max_connections,
        settings.max_content_in_flight_octets // RECEIVER_SHARE,
        carrier.destination_of,
    )
    book = ReceiverBook(lambda way: terms_of(current.config.delivery, way))
    waiting = DeliveryQueue(store, courier, carrier, contents, book, limits, reactor)
    nudges = NudgeWatch(store, queue.has_nudges, queue.take_nudges, waiting.nudged, reactor)
    notices = DelayNotices(
        store,
        waiting.tell_delay,
        waiting.is_on_its_way,
        settings.delay_notice_seconds,
        reactor,
    )
    return Outbound(carrier, waiting, nudges, notices)


def lifetimes(config: Config) -> Lifetimes:
    """How long recipients stay on suppression lists."""
    seconds = config.suppression
    return Lifetimes(seconds.mailbox_seconds, seconds.complaint_seconds, seconds.manual_seconds)


def let_in(
    config: Config,
    keys: KeySource,
    store: Store,
    threads: Threads,
    domains: ApplyingDomains,
    outbound: Outbound,
) -> Portal:
    """The portal of both front doors, with the intake behind it."""
    settings = IntakeSettings(
        config.hostname,
        config.delivery.lifetime_seconds,
        (HEADER_PREFIX, *config.smtp.header_prefixes),
        config.accounts.over_quota == "refuse",
    )
    rules = AdmissionRules(
        config.accounts.require_sender_domain == "always", frozenset(config.delivery.pools)
    )
    destination_of = outbound.carrier.destination_of
    intake = Intake(
        store,
        keys,
        settings,
        AdmissionDesk(store, domains, rules),
        Suppressing(ReportWriter(config.hostname, keys, destination_of, threads.call)),
        destination_of,
        outbound.queue.added,
        threads.call,
    )
    identities = Identities(store, time.monotonic)
    verifier = PasswordVerifier(threads.call, time.monotonic, cost=config.accounts.bcrypt_cost)
    realm = SenderRealm(identities, intake)
    return Portal(realm, [PasswordChecker(identities, verifier), TokenChecker(identities)])


@frozen
class Inbound:
    """The parts that take in what comes by mail to our own addresses."""

    reception: Reception
    arrivals: Arrivals


def take_back(
    config: Config,
    keys: KeySource,
    store: Store,
    threads: Threads,
    helpers: Workers,
    links: Links,
    outbound: Outbound,
    reactor: Any,
) -> Inbound:
    """Everything from a stranger's mail to what follows from it."""
    written = config.smtp.postmaster
    forwarding = Forwarding(
        outbound.carrier.destination_of,
        outbound.queue.added,
        Mailbox.parse(written) if written else None,
    )
    arrivals = Arrivals(store, helpers.call, links.bounces, forwarding, reactor, lifetimes(config))
    hosts = (config.hostname, config.tracking.host, config.tracking.bounce_host)
    addresses = OwnAddresses(store, [mail_domain(each) for each in hosts], links.bounces)
    reception = Reception(store, keys, addresses, arrivals.arrived, threads.call)
    return Inbound(reception, arrivals)


def smtp_surroundings(
    config: Config,
    portal: Portal,
    budget: ContentBudget,
    tls: ServerTLS,
    home: Home,
    reactor: Any,
) -> Surroundings:
    """What every SMTP session uses."""
    settings = config.smtp
    return Surroundings(
        settings=ServerSettings(
            hostname=config.hostname,
            limits=Limits(settings.max_message_octets, settings.max_recipients),
            product=settings.product,
            enhanced_codes=settings.enhanced_status_codes,
            line_octets=settings.max_line_octets,
            normalise=settings.bare_newlines == "normalise",
            max_errors=settings.max_errors,
            command_seconds=settings.command_timeout_seconds,
            content_seconds=settings.content_timeout_seconds,
            session_seconds=settings.session_timeout_seconds,
        ),
        portal=portal,
        budget=budget,
        login_limit=FailureLimit(time.monotonic),
        clock=reactor,
        tls=tls,
        home=home,
    )


def site(
    config: Config,
    portal: Portal,
    budget: ContentBudget,
    threads: Threads,
    tracking: Tracking,
    reactor: Any,
    *,
    https: bool,
) -> Site:
    """What serves HTTP connections, inside TLS or in the clear."""
    limits = web.Limits(config.smtp.max_recipients, config.smtp.max_message_octets)
    root = root_resource(portal, https=https, in_thread=threads.call, clock=reactor, limits=limits)
    root = TrackingRoot(root, tracking, "https" if https else "http")
    return Site(root, reactor, budget, config.http.max_body_octets)
