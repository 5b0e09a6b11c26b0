"""What must hold between several settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from smtpeter.config.sections import Config

# What takes mail at each of our hosts.
_OURS = {"postmaster", "abuse", "dmarc"}

Broken = tuple[tuple[str, ...], str]


def broken_rules(config: Config) -> Iterator[Broken]:
    """The keys that do not go together, the one to change first, and what is wrong."""
    yield from _certificate(config)
    yield from _listeners(config)
    yield from _room(config)
    yield from _smarthost(config)
    yield from _postmaster(config)
    yield from _zone(config)
    yield from _pools(config)


def doubts(config: Config) -> Iterator[str]:
    """What works, but hardly as the operator means it; each one line that begins with the key."""
    yield from _greedy_receivers(config)
    yield from _no_way_home(config)


def _no_way_home(config: Config) -> Iterator[str]:
    """By REST, bounces are tracked unless a call says otherwise."""
    if config.delivery.mode == "mx" and not config.smtp.accept_local:
        yield (
            "smtp.accept_local: no listener takes bounces in; those of mail with trackbounces on, "
            "as mail by REST has it where nothing is said, are lost"
        )


def _greedy_receivers(config: Config) -> Iterator[str]:
    """A receiver that may have every place keeps all others waiting once it is slow."""
    delivery = config.delivery
    if delivery.mode != "mx":  # elsewhere there is but one receiver
        return
    general = {"delivery.connections": delivery.connections}
    own = {
        f'delivery.receivers."{name}".connections': limits.connections
        for name, limits in delivery.receivers.items()
        if limits.connections != delivery.connections
    }
    for key, connections in (general | own).items():
        if connections >= delivery.max_connections:
            yield (
                f"{key}: {connections} are as many as delivery.max_connections allows for all "
                f"({delivery.max_connections}); one slow receiver can hold up every other"
            )


def _certificate(config: Config) -> Iterator[Broken]:
    if config.tls.certificate and not config.tls.private_key:
        yield ("tls.private_key", "tls.certificate"), "needed when tls.certificate is set"
    if config.tls.private_key and not config.tls.certificate:
        yield ("tls.certificate", "tls.private_key"), "needed when tls.private_key is set"


def _listeners(config: Config) -> Iterator[Broken]:
    listeners = config.listeners()
    uses = Counter(endpoint for endpoints in listeners.values() for endpoint in endpoints)
    for endpoint, times in uses.items():
        if times > 1:
            keys = tuple(key for key, endpoints in listeners.items() if endpoint in endpoints)
            others = " and ".join(keys[1:])
            yield keys, f"{endpoint} is also listed in {others}; allowed: each in one list only"
    smtp = {*config.smtp.starttls, *config.smtp.implicit_tls}
    for endpoint in config.smtp.accept_local:
        if endpoint not in smtp:
            keys = ("smtp.accept_local", "smtp.starttls", "smtp.implicit_tls")
            yield keys, f"found {endpoint}; allowed: an entry of smtp.starttls or smtp.implicit_tls"


def _room(config: Config) -> Iterator[Broken]:
    """One message of the largest size must always find room, or it would wait for ever."""
    room = {
        "smtp.max_content_in_flight": config.smtp.max_content_in_flight_octets,
        "delivery.max_content_in_flight": config.delivery.max_content_in_flight_octets,
    }
    for key, octets in room.items():
        if octets < config.smtp.max_message_octets:
            yield (key, "smtp.max_message_size"), "allowed: no less than smtp.max_message_size"


def _zone(config: Config) -> Iterator[Broken]:
    if config.dns.hosted and not config.dns.zone:
        yield ("dns.zone", "dns.hosted"), "needed when dns.hosted is true"


def _smarthost(config: Config) -> Iterator[Broken]:
    delivery = config.delivery
    if delivery.mode == "smarthost" and delivery.smarthost is None:
        keys = ("delivery.smarthost", "delivery.mode")
        yield keys, 'needed for delivery.mode "smarthost": a host and a port'
    username, file = "delivery.smarthost_username", "delivery.smarthost_password_file"
    if delivery.smarthost_username and delivery.smarthost_password_file is None:
        yield (file, username), f"needed when {username} is set"
    if delivery.smarthost_password_file and not delivery.smarthost_username:
        yield (username, file), f"needed when {file} is set"
    if delivery.smarthost_username and delivery.tls == "none":
        allowed = f'allowed with {username}: "opportunistic" or "required" or "verified"'
        yield ("delivery.tls", username), f'found "none"; {allowed}'


def _postmaster(config: Config) -> Iterator[Broken]:
    """What is sent on to an address of our own would come again."""
    local, _, host = config.smtp.postmaster.rpartition("@")
    hosts = {config.hostname, config.tracking.host, config.tracking.bounce_host}
    if host in hosts and local.lower() in _OURS:
        keys = ("smtp.postmaster", "hostname", "tracking.host", "tracking.bounce_host")
        yield keys, f"found {config.smtp.postmaster}; allowed: an address that is not our own"


def _pools(config: Config) -> Iterator[Broken]:
    for name, pool in config.delivery.pools.items():
        if not pool.addresses:
            key = f"delivery.pools.{name}.addresses"
            yield (key,), "needed: one or more IP addresses of this machine"
