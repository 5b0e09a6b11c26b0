"""How TLS is used with which host."""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import partial

import attrs
from attrs import field
from twisted.internet.interfaces import IReactorTime

from smtpeter.delivery.dnsrecords import TlsaRecord
from smtpeter.delivery.resolver import LookupFailed
from smtpeter.delivery.route import literal_address
from smtpeter.delivery.security.dane import Dane, HostRecords
from smtpeter.delivery.security.demands import NO_DEMANDS, Demands
from smtpeter.delivery.security.handshakes import (
    DaneTls,
    UnverifiedTls,
    VerifiedTls,
    client_context,
)
from smtpeter.delivery.security.stspolicy import StsPolicy
from smtpeter.delivery.security.tlsresult import PolicyType, TlsResult
from smtpeter.delivery.security.trust import Trust
from smtpeter.expiring import Expiring
from smtpeter.message.outcome import Outcome
from smtpeter.smtp.opening import ConnectFailed, Encryption
from smtpeter.smtp.peer import Peer
from smtpeter.values import frozen

REMEMBERED_HOSTS = 10_000
BROKEN_SECONDS = 3600


class TlsPolicy(enum.Enum):
    """
    What is asked of connections, where the domain or DNS does not ask for more.

    Opportunistic and required encrypt without looking at the certificate: a server of
    receivers that nobody told us about can prove nothing by it (RFC 7435).
    """

    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    REQUIRED = "required"
    VERIFIED = "verified"


@frozen
class HostTls:
    """
    How connections to one host are secured for the mail of one domain.

    Attributes:
        make: what secures the next one; None for clear text.
        clear_text_will_do: when TLS does not work.
        policy_type, policy: by what sessions are measured, and its lines.
        demand: who wants it so, in words; "" when it is the operator alone.
        refusal: why the host gets no mail at all.
        flaw: what is wrong with its sessions even when TLS works.
    """

    host: str
    domain: str
    make: Callable[[], Encryption | None] = field(repr=False)
    clear_text_will_do: bool = False
    policy_type: PolicyType = PolicyType.NONE
    policy: tuple[str, ...] = ()
    demand: str = ""
    refusal: Outcome | None = None
    flaw: TlsResult = TlsResult.SUCCESS

    def result(self, encryption: Encryption | None, tls: str) -> TlsResult:
        """What to say of a session that mail can be sent over; `tls` is that of its peer."""
        if not tls:  # it was known to be broken, or was not to be had
            return TlsResult.STARTTLS_NOT_SUPPORTED if encryption else TlsResult.VALIDATION_FAILURE
        fault = _fault(encryption)
        return self.flaw if fault is None else fault

    def failure(self, encryption: Encryption | None, failed: ConnectFailed) -> TlsResult | None:
        """What to say of a session that did not come about; None when not for want of TLS."""
        if failed.tls_failed:
            return _fault(encryption) or TlsResult.VALIDATION_FAILURE
        if failed.outcome.state == "starttls":
            return TlsResult.STARTTLS_NOT_SUPPORTED
        return None

    def explained(self, failed: ConnectFailed) -> ConnectFailed:
        """The same, with who wanted it so."""
        outcome = failed.outcome
        if not self.demand or not (failed.tls_failed or outcome.state == "starttls"):
            return failed
        told = attrs.evolve(outcome, text=f"{outcome.text}; {self.demand}")
        return ConnectFailed(told, tls_failed=failed.tls_failed)

    def holds_for_others(self, encryption: Encryption | None) -> bool:
        """
        Whether what the server has proved would do for other domains with the same hosts.

        By TLSA records an authority may know it as a server of the domain alone (RFC 7672
        section 3.2.2).
        """
        proof = encryption.proof if encryption is not None else None
        return not isinstance(proof, DaneTls) or proof.proved_name in (self.host, proof.base)


class TlsPolicies:
    """
    Decides for each host how TLS is used, and remembers with whom it does not work.

    Args:
        implicit: TLS comes before the greeting.
        trust: verifies names; may be left out where nobody is to be verified.
        dane: looks up TLSA records; None where DNS is not to be believed.
    """

    def __init__(
        self,
        policy: TlsPolicy,
        clock: IReactorTime,
        *,
        implicit: bool = False,
        trust: Trust | None = None,
        dane: Dane | None = None,
    ) -> None:
        self.policy = policy
        self._implicit = implicit
        self._trust = trust
        self._dane = dane
        self._broken: Expiring[str, bool] = Expiring(clock.seconds, REMEMBERED_HOSTS)
        self._context = client_context(modern=policy is not TlsPolicy.OPPORTUNISTIC)
        self._modern = client_context(modern=True)

    async def for_host(self, host: str, domain: str = "", demands: Demands = NO_DEMANDS) -> HostTls:
        """How to secure connections to a host, for the mail of a domain with its demands."""
        if self.policy is TlsPolicy.NONE:
            return HostTls(host, domain, lambda: None, clear_text_will_do=True)
        if demands.dane and self._dane is not None:
            try:
                records = await self._dane.records(host)
            except LookupFailed as failed:
                return self._unknown(host, domain, str(failed))
            if records is not None and (records.usable or demands.enforced is None):
                return self._by_records(host, domain, records)
        if demands.sts is not None:
            enforced = demands.enforced is not None
            return self._by_policy(host, domain, demands.sts, enforced=enforced)
        return self._ordinary(host, domain)

    def works_without(self, host: str) -> None:
        """TLS with a host has failed and clear text has not: spare it the next attempts."""
        self._broken.put(host, True, BROKEN_SECONDS)

    @property
    def _clear_text_will_do(self) -> bool:
        return self.policy is TlsPolicy.OPPORTUNISTIC and not self._implicit

    def _ordinary(self, host: str, domain: str) -> HostTls:
        if self.policy is TlsPolicy.VERIFIED:
            return HostTls(host, domain, partial(self._verified, host))
        make = partial(self._any_certificate, host)
        return HostTls(host, domain, make, self._clear_text_will_do)

    def _by_policy(self, host: str, domain: str, sts: StsPolicy, *, enforced: bool) -> HostTls:
        """RFC 8461 section 5."""
        refusal: Outcome | None = None
        admitted = sts.admits(host)
        if enforced and not admitted:
            text = f"{host} is none of the hosts that the MTA-STS policy of {domain} names"
            refusal = Peer(host).unproved(text)
        verified = enforced or self.policy is TlsPolicy.VERIFIED
        return HostTls(
            host,
            domain,
            partial(self._verified if verified else self._put_to_the_test, host),
            self._clear_text_will_do and not enforced,
            PolicyType.STS,
            sts.lines(),
            f"the MTA-STS policy of {domain} demands verified TLS" if enforced else "",
            refusal,
            TlsResult.SUCCESS if admitted else TlsResult.VALIDATION_FAILURE,
        )

    def _by_records(self, host: str, domain: str, records: HostRecords) -> HostTls:
        """RFC 7672 section 2.2: without a usable record TLS is all that is demanded."""
        if records.usable:
            names = tuple(dict.fromkeys((records.base, host, domain)))
            make = partial(self._proved_by_records, records.usable, names)
            demand, flaw = "verified TLS", TlsResult.SUCCESS
        else:
            make = partial(self._some_tls, host)
            demand, flaw = "TLS", TlsResult.TLSA_INVALID
        return HostTls(
            host,
            domain,
            make,
            policy_type=PolicyType.TLSA,
            policy=records.lines(),
            demand=f"the TLSA records of {records.base} demand {demand}",
            flaw=flaw,
        )

    def _unknown(self, host: str, domain: str, text: str) -> HostTls:
        """Somebody may be keeping TLSA records from us (RFC 7672 section 2.1.2)."""
        return HostTls(
            host,
            domain,
            partial(self._some_tls, host),
            policy_type=PolicyType.TLSA,
            refusal=Peer(host).unproved(f"{text}; {host} may demand verified TLS"),
            flaw=TlsResult.DNSSEC_INVALID,
        )

    # What secures one connection.

    def _any_certificate(self, host: str) -> Encryption | None:
        if self._clear_text_will_do and self._broken.get(host):
            return None
        creator = UnverifiedTls(self._context, _plain(host))
        return Encryption(creator, not self._clear_text_will_do, self._implicit)

    def _some_tls(self, host: str) -> Encryption:
        creator = UnverifiedTls(self._modern, _plain(host))
        return Encryption(creator, required=True, implicit=self._implicit)

    def _verified(self, host: str) -> Encryption:
        assert self._trust is not None
        proof = self._trust.verified(_plain(host))
        return Encryption(proof, required=True, implicit=self._implicit, proof=proof)

    def _put_to_the_test(self, host: str) -> Encryption | None:
        """Mail is sent whatever comes of it."""
        assert self._trust is not None
        if self._clear_text_will_do and self._broken.get(host):
            return None
        proof = self._trust.verified(_plain(host), strict=False)
        return Encryption(proof, not self._clear_text_will_do, self._implicit, proof)

    def _proved_by_records(
        self, records: tuple[TlsaRecord, ...], names: tuple[str, ...]
    ) -> Encryption:
        proof = DaneTls(self._modern, records, names)
        return Encryption(proof, required=True, implicit=self._implicit, proof=proof)


def _plain(host: str) -> str:
    """A name, or an IP address without brackets."""
    return literal_address(host) or host


def _fault(encryption: Encryption | None) -> TlsResult | None:
    """What a proof found wrong."""
    proof = encryption.proof if encryption is not None else None
    if isinstance(proof, VerifiedTls | DaneTls) and proof.fault is not None:
        return proof.fault.result
    return None
