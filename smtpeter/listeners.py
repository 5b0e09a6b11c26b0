"""What answers at each of the SMTP listeners."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import attrs
from twisted.internet.protocol import Factory

from smtpeter.config.sections import Smtp
from smtpeter.smtp.factory import ConnectionLimit, SmtpFactory
from smtpeter.smtp.surroundings import Surroundings
from smtpeter.smtp.tlslayer import TlsFactory
from smtpeter.tls import ServerTLS
from smtpeter.units import Endpoint
from smtpeter.values import frozen

MAIL_SERVERS_PORT = 25  # RFC 5321 section 4.5.4.2: where they look for each other


@frozen
class SmtpListeners:
    """
    What serves SMTP connections.

    Attributes:
        factories: make the sessions.
        behind: what answers at a listener.
    """

    factories: tuple[SmtpFactory, ...]
    behind: Mapping[Endpoint, Factory]


def smtp_listeners(settings: Smtp, around: Surroundings, tls: ServerTLS) -> SmtpListeners:
    """
    A factory for each kind of listener: with TLS from the start or not, for strangers or not.

    Clients resume their TLS sessions by tickets. Where other mail servers come in they get
    none (see `ServerTLS`).
    """
    connections = ConnectionLimit(settings.max_connections, settings.max_connections_per_address)
    # However many servers bring bounces at one moment, clients find a place.
    half = ConnectionLimit((settings.max_connections + 1) // 2, 0, connections)
    made: list[SmtpFactory] = []
    behind: dict[Endpoint, Factory] = {}
    for strangers, servers in product((False, True), repeat=2):
        presented = tls.without_tickets if servers else tls
        outside, inside = (
            SmtpFactory(
                attrs.evolve(around, tls=presented),
                half if strangers else connections,
                implicit_tls=implicit_tls,
                accept_local=strangers,
            )
            for implicit_tls in (False, True)
        )
        made += (outside, inside)
        for listeners, factory in (
            (settings.starttls, outside),
            (settings.implicit_tls, TlsFactory(presented, inside)),
        ):
            for each in listeners:
                if _kind(settings, each) == (strangers, servers):
                    behind[each] = factory
    return SmtpListeners(tuple(made), behind)


def _kind(settings: Smtp, endpoint: Endpoint) -> tuple[bool, bool]:
    """Whether strangers may write to us at a listener, and whether mail servers come in there."""
    strangers = endpoint in settings.accept_local
    return strangers, strangers or endpoint.port == MAIL_SERVERS_PORT
