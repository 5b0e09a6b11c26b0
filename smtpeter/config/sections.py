"""
The settings: every key of the configuration file, its default, and what reads it.

The defaults are those of a first look: everything on loopback and nothing leaves the
machine. A key is called as in the file; an attribute says its unit where it has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field

from smtpeter.config import values
from smtpeter.units import Endpoint
from smtpeter.values import frozen


def key(name: str, read: values.Reader[Any], default: object, *, secret: bool = False) -> Any:
    """
    An attribute that a key of the file sets.

    Args:
        name: the key.
        read: makes the attribute's value, or raises `smtpeter.config.values.NotAllowed`.
        default: what an absent key stands for, as the file would say it.
        secret: the value is never shown.
    """
    metadata = {"key": name, "read": read, "default": default, "secret": secret}
    return field(default=read(default), metadata=metadata, repr=not secret)


def section(name: str, kind: type[Any]) -> Any:
    """An attribute that a table of the file sets."""
    return field(factory=kind, metadata={"key": name, "section": kind})


def table_of(name: str, kind: type[Any], names: values.Reader[str]) -> Any:
    """An attribute that tables below one table set, each with a name that `names` reads."""
    return field(factory=dict, metadata={"key": name, "table_of": kind, "names": names})


@frozen
class Database:
    """Where accounts, messages and events are kept."""

    url: str = key("url", values.database_url, "sqlite:///smtpeter.db", secret=True)
    min_free_octets: int = key("min_free", values.size("0B", "1024GiB"), "100MiB")
    keep_seconds: int = key("keep", values.duration("1h", "3650d"), "30d")


@frozen
class Tls:
    """The certificate for every listener; None for both: a self-signed one is made."""

    certificate: Path | None = key("certificate", values.file_or_nothing, "")
    private_key: Path | None = key("private_key", values.file_or_nothing, "")


@frozen
class Smtp:
    """The SMTP listeners and their limits. A limit of 0 is none."""

    starttls: tuple[Endpoint, ...] = key(
        "starttls", values.listeners, ["127.0.0.1:2525", "127.0.0.1:2587"]
    )
    implicit_tls: tuple[Endpoint, ...] = key("implicit_tls", values.listeners, ["127.0.0.1:2465"])
    accept_local: tuple[Endpoint, ...] = key("accept_local", values.listeners, [])
    postmaster: str = key("postmaster", values.mailbox_or_nothing, "")
    product: str = key("product", values.word, "smtpeter")
    enhanced_status_codes: bool = key("enhanced_status_codes", values.switch, False)
    header_prefixes: tuple[str, ...] = key("header_prefixes", values.field_name_prefixes, [])
    bare_newlines: str = key("bare_newlines", values.one_of("refuse", "normalise"), "refuse")
    max_message_octets: int = key("max_message_size", values.size("1KiB", "1GiB"), "50MiB")
    max_recipients: int = key("max_recipients", values.whole_number(1, 100_000), 1000)
    # RFC 5321 section 4.5.3.1.6: a line of 1000 octets must be taken
    max_line_octets: int = key("max_line_length", values.size("1000B", "1MiB"), "16KiB")
    max_connections: int = key("max_connections", values.whole_number(0, 100_000), 1000)
    max_connections_per_address: int = key(
        "max_connections_per_address", values.whole_number(0, 100_000), 100
    )
    max_content_in_flight_octets: int = key(
        "max_content_in_flight", values.size("1KiB", "1024GiB"), "256MiB"
    )
    max_errors: int = key("max_errors", values.whole_number(1, 1000), 10)
    command_timeout_seconds: int = key("command_timeout", values.duration("1s", "1h"), "5m")
    content_timeout_seconds: int = key("content_timeout", values.duration("1s", "1h"), "3m")
    session_timeout_seconds: int = key("session_timeout", values.duration("1s", "7d"), "1h")


@frozen
class Accounts:
    """Who may send."""

    require_sender_domain: str = key(
        "require_sender_domain", values.one_of("never", "always"), "never"
    )
    bcrypt_cost: int = key("bcrypt_cost", values.whole_number(4, 16), 12)
    over_quota: str = key("over_quota", values.one_of("wait", "refuse"), "wait")


SUPPRESSED = values.duration_or_never("1h", "3650d")


@frozen
class Suppression:
    """How long recipients stay on suppression lists, by what put them there; None for ever."""

    mailbox_seconds: int | None = key("mailbox", SUPPRESSED, "180d")
    complaint_seconds: int | None = key("complaint", SUPPRESSED, "never")
    manual_seconds: int | None = key("manual", SUPPRESSED, "never")


@frozen
class Http:
    """The HTTP listeners. A loaded configuration has its `public_url` always filled in."""

    https: tuple[Endpoint, ...] = key("https", values.listeners, ["127.0.0.1:8443"])
    http: tuple[Endpoint, ...] = key("http", values.listeners, ["127.0.0.1:8080"])
    public_url: str = key("public_url", values.public_url, "")
    allow_private_addresses: bool = key("allow_private_addresses", values.switch, False)
    max_body_octets: int = key("max_body_size", values.size("1KiB", "2GiB"), "70MiB")


@frozen
class Tracking:
    """
    What tracked links and addresses are made of; the hosts are filled in when loaded.

    Attributes:
        complaint_fields: mail gets fields by which complaints find their message.
        feedback_sender: the last part of Feedback-ID.
        places: a file that knows where addresses are; None for none.
    """

    host: str = key("host", values.host_or_nothing, "")
    bounce_host: str = key("bounce_host", values.host_or_nothing, "")
    complaint_fields: bool = key("complaint_fields", values.switch, True)
    feedback_sender: str = key("feedback_sender", values.feedback_sender, "")
    places: Path | None = key("places", values.file_or_nothing, "")


@frozen
class Dns:
    """
    The zone that sender domains point into, and what is checked of them.

    Attributes:
        hosted: whether name servers serve `zone`, as `smtpeter dns --zone` prints it.
        nameservers: those of the zone; without any its SOA and NS records are made elsewhere.
        rotation_seconds: how long a key of a sender domain signs where the zone is hosted.
        certificate_authority: who issues certificates for tracking hosts, as in CAA records.
    """

    hosted: bool = key("hosted", values.switch, False)
    zone: str = key("zone", values.host_or_nothing, "")
    nameservers: tuple[str, ...] = key("nameservers", values.hosts, [])
    rotation_seconds: int = key("rotation", values.duration("1d", "365d"), "30d")
    certificate_authority: str = key("certificate_authority", values.host_or_nothing, "")


CONNECTIONS = values.whole_number(1, 10_000)


@frozen
class Limits:
    """
    What one receiver is spared.

    Attributes:
        connections: at the same time.
        messages_per_second: None for no fixed limit.
        messages_per_connection: then a new connection is made.
    """

    connections: int = key("connections", CONNECTIONS, 10)
    messages_per_second: float | None = key("rate", values.rate, "")
    messages_per_connection: int = key(
        "messages_per_connection", values.whole_number(1, 1_000_000), 1000
    )


@frozen
class Pool:
    """
    Addresses of this machine that some mail is sent from.

    Attributes:
        hostname: what is said with EHLO there; "" for that of the service.
    """

    addresses: tuple[str, ...] = key("addresses", values.addresses, [])
    hostname: str = key("hostname", values.host_or_nothing, "")


@frozen
class Delivery:
    """
    How messages leave.

    Attributes:
        ca_file: authorities that are trusted besides those of the system.
        mta_sts: the policies of domains are found, and kept to.
        dnssec: the resolvers validate, and so are believed.
        receivers: the limits of receivers that have their own, complete.
        pools: that accounts and sender domains may be bound to.
        smarthost_password: what `smarthost_password_file` holds.
    """

    mode: str = key("mode", values.one_of("capture", "mx", "smarthost"), "capture")
    smarthost: Endpoint | None = key("smarthost", values.endpoint_or_nothing, "")
    smarthost_username: str = key("smarthost_username", values.text, "")
    smarthost_password_file: Path | None = key(
        "smarthost_password_file", values.file_or_nothing, ""
    )
    tls: str = key(
        "tls", values.one_of("none", "opportunistic", "required", "verified"), "opportunistic"
    )
    ca_file: Path | None = key("ca_file", values.file_or_nothing, "")
    mta_sts: bool = key("mta_sts", values.switch, True)
    resolvers: tuple[Endpoint, ...] = key("resolvers", values.resolvers, [])
    dnssec: bool = key("dnssec", values.switch, False)
    port: int = key("port", values.whole_number(1, 65_535), 25)
    bind: str = key("bind", values.address_or_nothing, "")
    retry_seconds: tuple[int, ...] = key(
        "retry", values.retry_intervals, ["1m", "5m", "15m", "1h", "2h", "4h"]
    )
    lifetime_seconds: int = key("lifetime", values.duration("1s", "30d"), "1d")
    delay_notice_seconds: int = key("delay_notice", values.duration("1s", "30d"), "4h")
    connections: int = key("connections", CONNECTIONS, 10)
    messages_per_second: float | None = key("rate", values.rate, "")
    max_connections: int = key("max_connections", CONNECTIONS, 500)
    messages_per_connection: int = key(
        "messages_per_connection", values.whole_number(1, 1_000_000), 1000
    )
    idle_connection_seconds: int = key("idle_connection", values.duration("0s", "5m"), "10s")
    max_content_in_flight_octets: int = key(
        "max_content_in_flight", values.size("1KiB", "1024GiB"), "256MiB"
    )
    receivers: Mapping[str, Limits] = table_of("receivers", Limits, values.receiver_name)
    pools: Mapping[str, Pool] = table_of("pools", Pool, values.pool_name)
    smarthost_password: str = field(default="", repr=False)

    @property
    def limits(self) -> Limits:
        """The limits of a receiver that has none of its own."""
        return Limits(self.connections, self.messages_per_second, self.messages_per_connection)

    def sources(self, pool: str) -> tuple[str, ...]:
        """The addresses that mail of a pool is sent from; none leave it to the system."""
        if pool in self.pools:
            return self.pools[pool].addresses
        return (self.bind,) if self.bind else ()

    def name(self, pool: str) -> str:
        """What is said with EHLO from a pool; "" for the name of the service."""
        return self.pools[pool].hostname if pool in self.pools else ""


@frozen
class Config:
    """
    All settings.

    Attributes:
        path: the file they come from, None for the defaults.
    """

    hostname: str = key("hostname", values.host, "localhost")
    state_dir: Path = key("state_dir", values.directory, "smtpeter-state")
    database: Database = section("database", Database)
    tls: Tls = section("tls", Tls)
    smtp: Smtp = section("smtp", Smtp)
    accounts: Accounts = section("accounts", Accounts)
    suppression: Suppression = section("suppression", Suppression)
    http: Http = section("http", Http)
    tracking: Tracking = section("tracking", Tracking)
    dns: Dns = section("dns", Dns)
    delivery: Delivery = section("delivery", Delivery)
    path: Path | None = None

    def listeners(self) -> dict[str, tuple[Endpoint, ...]]:
        """Every port that is served, by the key that lists it."""
        return {
            "smtp.starttls": self.smtp.starttls,
            "smtp.implicit_tls": self.smtp.implicit_tls,
            "http.https": self.http.https,
            "http.http": self.http.http,
        }
