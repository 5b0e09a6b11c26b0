"""The carrier for a configuration."""

from __future__ import annotations

import random
from typing import Any

from smtpeter.config import Config
from smtpeter.delivery.capture import CaptureCarrier, InThread
from smtpeter.delivery.carrier import ICarrier
from smtpeter.delivery.connecting import Connecting
from smtpeter.delivery.connections import ConnectionLimits, SmtpCarrier
from smtpeter.delivery.providers import receiver_name
from smtpeter.delivery.resolver import MailResolver, configured_resolver, system_resolver
from smtpeter.delivery.route import MxRoute, Route, SmarthostRoute
from smtpeter.delivery.tls import TlsPolicies, TlsPolicy
from smtpeter.smtp.opening import Credentials

MAILDIR = "capture"
SUBMISSIONS_PORT = 465  # RFC 8314 section 7.3: TLS from the first octet
GRACE_SECONDS = 5.0  # to say goodbye; the queue has waited for what was on its way


def carrier_for(config: Config, in_thread: InThread, reactor: Any) -> ICarrier:
    """What takes messages out of the house: into a Maildir, to a smart host, or to the world."""
    settings = config.delivery
    if settings.mode == "capture":
        return CaptureCarrier(config.state_dir / MAILDIR, in_thread)
    servers = [(each.host, each.port) for each in settings.resolvers]
    resolver = MailResolver(
        configured_resolver(servers, reactor) if servers else system_resolver(reactor), reactor
    )
    route: Route
    credentials = None
    if settings.mode == "smarthost":
        assert settings.smarthost is not None
        route = SmarthostRoute(resolver, settings.smarthost.host, settings.smarthost.port)
        if settings.smarthost_username:
            credentials = Credentials(settings.smarthost_username, settings.smarthost_password)
    else:
        route = MxRoute(resolver, config.hostname, settings.port, receiver_name, random.shuffle)
    tls = TlsPolicies(TlsPolicy(settings.tls), reactor, implicit=route.port == SUBMISSIONS_PORT)
    connecting = Connecting(
        reactor,
        config.hostname,
        tls,
        credentials=credentials,
        sources=settings.sources,
    )
    limits = ConnectionLimits(
        total=settings.max_connections,
        idle_seconds=settings.idle_connection_seconds,
        grace_seconds=GRACE_SECONDS,
    )
    return SmtpCarrier(route, connecting, reactor, limits)
