"""The carrier for a configuration."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.logger import Logger

from smtpeter.config import Config
from smtpeter.config.sections import Delivery
from smtpeter.delivery import classification, providers
from smtpeter.delivery.capture import CaptureCarrier, InThread
from smtpeter.delivery.carrier import ICarrier
from smtpeter.delivery.connecting import Connecting
from smtpeter.delivery.connections import ConnectionLimits, SmtpCarrier
from smtpeter.delivery.hostnames import ResolvingReactor
from smtpeter.delivery.providers import receiver_name
from smtpeter.delivery.resolver import MailResolver, configured_resolver, system_resolver
from smtpeter.delivery.route import FindPolicy, MxRoute, Route, SmarthostRoute
from smtpeter.delivery.security.dane import Dane
from smtpeter.delivery.security.mtasts import StsPolicies
from smtpeter.delivery.security.results import TlsResults
from smtpeter.delivery.security.stsfetching import PolicyFetcher
from smtpeter.delivery.security.tlsresult import PolicyType, TlsFault, TlsResult
from smtpeter.delivery.security.trust import Trust
from smtpeter.delivery.tls import HostTls, TlsPolicies, TlsPolicy
from smtpeter.smtp.opening import Credentials
from smtpeter.store.store import Store

MAILDIR = "capture"
SUBMISSIONS_PORT = 465  # RFC 8314 section 7.3: TLS from the first octet
GRACE_SECONDS = 5.0  # to say goodbye; the queue has waited for what was on its way

_log = Logger()


def carrier_for(
    config: Config, store: Store, results: TlsResults, in_thread: InThread, reactor: Any
) -> ICarrier:
    """
    What takes messages out of the house: into a Maildir, to a smart host, or to the world.

    Args:
        results: counts what becomes of the security of sessions with the world.

    Raises:
        ConfigError: a file that is named there cannot be read.
    """
    settings = config.delivery
    if settings.mode == "capture":
        return CaptureCarrier(config.state_dir / MAILDIR, in_thread)
    # What refusals mean, and whose hosts are whose, is read before the first is asked for.
    for prepare in (classification.prepare, providers.providers):
        in_thread(prepare).addErrback(lambda failure: _log.failure("not read", failure))
    resolver = _resolver(settings, reactor)
    trust = Trust(settings.ca_file, in_thread, reactor)
    route: Route
    credentials, dane = None, None
    note: Callable[[HostTls, TlsResult], None] = _note_nothing
    if settings.mode == "smarthost":
        assert settings.smarthost is not None
        route = SmarthostRoute(resolver, settings.smarthost.host, settings.smarthost.port)
        if settings.smarthost_username:
            credentials = Credentials(settings.smarthost_username, settings.smarthost_password)
    else:
        sts_policy = None
        if settings.tls != TlsPolicy.NONE.value:
            note = partial(_note, results)
            if settings.mta_sts:
                sts_policy = _sts_policies(config, resolver, trust, store, results, reactor)
        if settings.dnssec:
            dane = Dane(resolver, settings.port)
        route = MxRoute(
            resolver, config.hostname, settings.port, receiver_name, random.shuffle, sts_policy
        )
    implicit = route.port == SUBMISSIONS_PORT
    tls = TlsPolicies(TlsPolicy(settings.tls), reactor, implicit=implicit, trust=trust, dane=dane)
    connecting = Connecting(
        reactor,
        config.hostname,
        tls,
        credentials=credentials,
        sources=settings.sources,
        names=settings.name,
        note=note,
    )
    limits = ConnectionLimits(
        total=settings.max_connections,
        idle_seconds=settings.idle_connection_seconds,
        grace_seconds=GRACE_SECONDS,
    )
    return SmtpCarrier(route, connecting, reactor, limits)


def _resolver(settings: Delivery, reactor: Any) -> MailResolver:
    servers = [(each.host, each.port) for each in settings.resolvers]
    if servers:
        asking = configured_resolver(servers, reactor, validating=settings.dnssec)
    else:
        asking = system_resolver(reactor, validating=settings.dnssec)
    return MailResolver(asking, reactor)


def _sts_policies(
    config: Config,
    resolver: MailResolver,
    trust: Trust,
    store: Store,
    results: TlsResults,
    reactor: Any,
) -> FindPolicy:
    fetcher = PolicyFetcher(
        ResolvingReactor(reactor, resolver), trust, private=config.http.allow_private_addresses
    )

    def failed(domain: str, fault: TlsFault) -> None:
        results.count(domain, PolicyType.STS, (), "", fault.result)

    return StsPolicies(resolver, fetcher.fetch, store, reactor, failed).policy_for


def _note(results: TlsResults, tls: HostTls, result: TlsResult) -> None:
    results.count(tls.domain, tls.policy_type, tls.policy, tls.host, result)


def _note_nothing(tls: HostTls, result: TlsResult) -> None:
    """A smart host is nobody's receiver."""
