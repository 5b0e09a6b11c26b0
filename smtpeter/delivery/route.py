"""Which hosts take the mail for a receiver, and in which order they are tried."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol

from attrs import field
from twisted.internet.defer import Deferred

from smtpeter.delivery.resolver import (
    Exchangers,
    LookupFailed,
    MailExchanger,
    MailResolver,
    NoSuchName,
)
from smtpeter.delivery.security.demands import NO_DEMANDS, Demands
from smtpeter.delivery.security.stspolicy import StsPolicy
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.smtp.peer import Peer
from smtpeter.values import frozen

HOSTS = 5  # tried in one attempt; RFC 5321 section 5.1 asks for at least two addresses
ADDRESSES_OF_A_FAMILY = 2

Shuffle = Callable[[list[MailExchanger]], None]
FindPolicy = Callable[[str], Coroutine[Deferred[Any], Any, StsPolicy | None]]


class Unroutable(Exception):
    """
    There is no host to take the mail to.

    Attributes:
        outcome: what is to be told of it.
    """

    def __init__(self, verdict: Verdict, status: str, text: str, *, host: str = "") -> None:
        super().__init__(text)
        self.outcome: Outcome = Peer(host).ended(verdict, "error", "dns", status, text)


@frozen
class Way:
    """
    Where the mail for a destination goes.

    Attributes:
        destination: what `Route.destination_of` gave.
        receiver: the name of those who take mail there; they may take that of others too.
        exchangers: their hosts, by preference and name.
        problem: why there are none; the outcome of each attempt.
        demands: of the domain, on how its mail is brought.
        alike: ways with the same text have the same connections.
    """

    destination: str
    receiver: str
    exchangers: tuple[MailExchanger, ...]
    problem: Outcome | None = None
    demands: Demands = NO_DEMANDS
    # made once for all messages that go this way; a text knows its hash
    alike: str = field(init=False, repr=False, eq=False)

    @alike.default
    def _alike(self) -> str:
        return repr((self.exchangers, self.demands.key))


class Route(Protocol):
    """
    The way to receivers.

    Attributes:
        port: the TCP port that the hosts listen on.
    """

    port: int

    def destination_of(self, domain_key: str) -> str:
        """As `ICarrier.destination_of`."""

    async def way_to(self, destination: str) -> Way:
        """Where the mail for a destination goes now."""

    def hosts(self, way: Way) -> Sequence[str]:
        """The names of the hosts to try, in order; those that are equal in a random one."""

    async def addresses(self, host: str) -> Sequence[str]:
        """
        The IP addresses of a host to try, in order.

        Raises:
            Unroutable: there are none.
        """


class MxRoute:
    """
    To the mail exchangers of each domain.

    Args:
        hostname: our own name: mail must not come back to us.
        receiver_name: names those who have the most preferred hosts, given with the others.
        shuffle: brings a list into random order, so that equals share the load.
        sts_policy: finds the policy of a domain.
    """

    def __init__(
        self,
        resolver: MailResolver,
        hostname: str,
        port: int,
        receiver_name: Callable[[Sequence[str], Sequence[str]], str],
        shuffle: Shuffle,
        sts_policy: FindPolicy | None = None,
    ) -> None:
        self.port = port
        self._resolver = resolver
        self._hostname = hostname.lower()
        self._receiver_name = receiver_name
        self._shuffle = shuffle
        self._sts_policy = sts_policy

    def destination_of(self, domain_key: str) -> str:
        return domain_key

    async def way_to(self, destination: str) -> Way:
        if destination.startswith("["):
            return Way(destination, destination, (MailExchanger(0, destination),))
        try:
            found = await self._exchangers(destination)
        except Unroutable as failed:
            return Way(destination, destination, (), failed.outcome)
        exchangers = found.records
        preferred = exchangers[0].preference
        receiver = self._receiver_name(
            [each.name for each in exchangers if each.preference == preferred],
            [each.name for each in exchangers if each.preference != preferred],
        )
        sts = await self._sts_policy(destination) if self._sts_policy else None
        return Way(destination, receiver, exchangers, demands=Demands(found.authenticated, sts))

    async def _exchangers(self, domain: str) -> Exchangers:
        try:
            answer = await self._resolver.exchangers(domain)
        except NoSuchName:
            raise Unroutable(Verdict.FAILED, "5.1.2", f"{domain} does not exist") from None
        except LookupFailed as failed:
            raise Unroutable(Verdict.DEFERRED, "4.4.3", str(failed)) from None
        found = answer.records
        if found and not any(exchanger.name for exchanger in found):
            raise Unroutable(Verdict.FAILED, "5.1.10", f"{domain} takes no mail (null MX)")
        # RFC 5321 section 5.1: a domain without MX records is its own mail exchanger.
        exchangers = in_order_of_preference(found or (MailExchanger(0, domain),), self._hostname)
        if not exchangers:
            raise Unroutable(Verdict.FAILED, "5.4.6", f"mail for {domain} loops back to us")
        return Exchangers(exchangers, answer.authenticated)

    def hosts(self, way: Way) -> Sequence[str]:
        exchangers = list(way.exchangers)
        self._shuffle(exchangers)
        exchangers.sort(key=lambda each: each.preference)
        return [each.name for each in exchangers[:HOSTS]]

    async def addresses(self, host: str) -> Sequence[str]:
        return await _addresses(self._resolver, host, Verdict.FAILED)


class SmarthostRoute:
    """To one host, whatever the domain."""

    def __init__(self, resolver: MailResolver, host: str, port: int) -> None:
        self.port = port
        self._resolver = resolver
        self._host = host
        self._receiver = f"{host}:{port}"

    def destination_of(self, domain_key: str) -> str:  # noqa: ARG002
        return self._receiver

    async def way_to(self, destination: str) -> Way:
        return Way(destination, destination, (MailExchanger(0, self._host),))

    def hosts(self, way: Way) -> Sequence[str]:
        return [each.name for each in way.exchangers]

    async def addresses(self, host: str) -> Sequence[str]:
        # A smart host that DNS does not know was misspelt, and that will be put right.
        return await _addresses(self._resolver, host, Verdict.DEFERRED)


def in_order_of_preference(
    exchangers: Iterable[MailExchanger], hostname: str
) -> tuple[MailExchanger, ...]:
    """
    Mail exchangers, each once, those to be preferred first (RFC 5321 section 5.1).

    When `hostname` is among them, it and all that are not preferred to it are left out:
    whoever took the mail there would bring it back here.
    """
    best: dict[str, MailExchanger] = {}
    for each in sorted(exchangers, key=lambda each: (each.preference, each.name)):
        if each.name:
            best.setdefault(each.name, each)
    ours = best.get(hostname)
    return tuple(
        each for each in best.values() if ours is None or each.preference < ours.preference
    )


def literal_address(host: str) -> str | None:
    """The IP address that a host name or address literal is, None for any other name."""
    text = host[1:-1] if host.startswith("[") else host
    if host.startswith("[") and text[:5].lower() == "ipv6:":
        text = text[5:]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


async def _addresses(resolver: MailResolver, host: str, without: Verdict) -> Sequence[str]:
    literal = literal_address(host)
    if literal is not None:
        return (literal,)
    try:
        v4, v6 = await resolver.addresses(host)
    except LookupFailed as failed:
        raise Unroutable(Verdict.DEFERRED, "4.4.3", str(failed), host=host) from None
    found = (*v4[:ADDRESSES_OF_A_FAMILY], *v6[:ADDRESSES_OF_A_FAMILY])
    if not found:
        status = "5.4.4" if without is Verdict.FAILED else "4.4.4"
        raise Unroutable(without, status, f"{host} has no address", host=host)
    return found
