"""Which hosts take the mail for a receiver, and in which order they are tried."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from smtpeter.delivery.resolver import LookupFailed, MailExchanger, MailResolver, NoSuchName
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.smtp.peer import Peer

HOSTS = 5  # tried in one attempt; RFC 5321 section 5.1 asks for at least two addresses
ADDRESSES_OF_A_FAMILY = 2

Shuffle = Callable[[list[MailExchanger]], None]


class Unroutable(Exception):
    """
    There is no host to take the mail to.

    Attributes:
        outcome: what is to be told of it.
    """

    def __init__(self, verdict: Verdict, status: str, text: str, *, host: str = "") -> None:
        super().__init__(text)
        self.outcome: Outcome = Peer(host).ended(verdict, "error", "dns", status, text)


class Route(Protocol):
    """
    The way to receivers.

    Attributes:
        port: the TCP port that the hosts listen on.
    """

    port: int

    def destination_of(self, domain_key: str) -> str:
        """As `ICarrier.destination_of`."""

    async def hosts(self, receiver: str) -> Sequence[str]:
        """
        The names of the hosts to try, in order.

        Raises:
            Unroutable: there are none.
        """

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
        shuffle: brings a list into random order, so that equals share the load.
    """

    def __init__(self, resolver: MailResolver, hostname: str, port: int, shuffle: Shuffle) -> None:
        self.port = port
        self._resolver = resolver
        self._hostname = hostname.lower()
        self._shuffle = shuffle

    def destination_of(self, domain_key: str) -> str:
        return domain_key

    async def hosts(self, receiver: str) -> Sequence[str]:
        if receiver.startswith("["):
            return (receiver,)
        try:
            exchangers = await self._resolver.mail_exchangers(receiver)
        except NoSuchName:
            raise Unroutable(Verdict.FAILED, "5.1.2", f"{receiver} does not exist") from None
        except LookupFailed as failed:
            raise Unroutable(Verdict.DEFERRED, "4.4.3", str(failed)) from None
        if exchangers and not any(exchanger.name for exchanger in exchangers):
            raise Unroutable(Verdict.FAILED, "5.1.10", f"{receiver} takes no mail (null MX)")
        # RFC 5321 section 5.1: a domain without MX records is its own mail exchanger.
        exchangers = exchangers or (MailExchanger(0, receiver),)
        hosts = in_order_of_preference(exchangers, self._hostname, self._shuffle)
        if not hosts:
            raise Unroutable(Verdict.FAILED, "5.4.6", f"mail for {receiver} loops back to us")
        return hosts[:HOSTS]

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

    async def hosts(self, receiver: str) -> Sequence[str]:  # noqa: ARG002
        return (self._host,)

    async def addresses(self, host: str) -> Sequence[str]:
        # A smart host that DNS does not know was misspelt, and that will be put right.
        return await _addresses(self._resolver, host, Verdict.DEFERRED)


def in_order_of_preference(
    exchangers: Iterable[MailExchanger], hostname: str, shuffle: Shuffle
) -> list[str]:
    """
    The names of mail exchangers, those to be preferred first (RFC 5321 section 5.1).

    When `hostname` is among them, it and all that are not preferred to it are left out:
    whoever took the mail there would bring it back here.
    """
    candidates = [exchanger for exchanger in exchangers if exchanger.name]
    ours = [each.preference for each in candidates if each.name == hostname]
    if ours:
        candidates = [each for each in candidates if each.preference < min(ours)]
    shuffle(candidates)
    candidates.sort(key=lambda each: each.preference)
    return list(dict.fromkeys(each.name for each in candidates))


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
