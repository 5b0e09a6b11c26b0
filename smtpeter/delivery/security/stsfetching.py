"""Fetches the policies of domains from their web servers (RFC 8461 section 3.3)."""

from __future__ import annotations

from typing import Any

from smtpeter.delivery.security.handshakes import VerifiedTls
from smtpeter.delivery.security.stspolicy import (
    MAX_POLICY_OCTETS,
    InvalidPolicy,
    StsPolicy,
    parse_policy,
)
from smtpeter.delivery.security.tlsresult import TlsFault, TlsResult
from smtpeter.delivery.security.trust import Trust
from smtpeter.fetching import Fetcher, FetchFailed

HTTPS_PORT = 443


class PolicyNotFetched(Exception):
    """There is no policy where one was announced."""

    def __init__(self, fault: TlsFault) -> None:
        super().__init__(fault.text)
        self.fault = fault


class PolicyFetcher:
    """
    Fetches policies.

    Args:
        reactor: connects, resolves names and tells the time.
        private: whether loopback and private networks may be reached.
    """

    def __init__(
        self, reactor: Any, trust: Trust, *, private: bool = False, port: int = HTTPS_PORT
    ) -> None:
        self._reactor = reactor
        self._trust = trust
        self._private = private
        self._authority = "" if port == HTTPS_PORT else f":{port}"

    async def fetch(self, domain: str) -> StsPolicy:
        """
        The policy of a domain, as its server has it now.

        Raises:
            PolicyNotFetched: it cannot be had, or is none.
        """
        proofs: list[VerifiedTls] = []

        def tls_for(host: str) -> VerifiedTls:
            proofs.append(self._trust.verified(host))
            return proofs[-1]

        fetcher = Fetcher(self._reactor, private=self._private, redirects=0, tls_for=tls_for)
        url = f"https://mta-sts.{domain}{self._authority}/.well-known/mta-sts.txt"
        try:
            fetched = await fetcher.fetch(url, MAX_POLICY_OCTETS, "text/plain")
            return parse_policy(fetched.octets)
        except FetchFailed as failed:
            fault = next((each.fault for each in proofs if each.fault), None)
            result = TlsResult.STS_WEBPKI_INVALID if fault else TlsResult.STS_POLICY_FETCH_ERROR
            text = fault.text if fault else str(failed)
            raise PolicyNotFetched(TlsFault(result, text)) from failed
        except InvalidPolicy as invalid:
            fault = TlsFault(TlsResult.STS_POLICY_INVALID, str(invalid))
            raise PolicyNotFetched(fault) from invalid
