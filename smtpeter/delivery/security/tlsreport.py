"""Reports on the security of sessions, in the format of RFC 8460 section 4."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from smtpeter.delivery.security.tlsresult import PolicyType, TlsResult
from smtpeter.store.tlsresults import TlsCount

_MX = "mx: "


def tls_reports(counts: Iterable[TlsCount], day: str, hostname: str) -> list[dict[str, Any]]:
    """
    A report for each domain.

    Args:
        counts: of one day.
        day: "2026-01-31", UTC.
        hostname: our own name.
    """
    by_domain: dict[str, list[TlsCount]] = {}
    for each in counts:
        by_domain.setdefault(each.domain, []).append(each)
    return [_report(domain, found, day, hostname) for domain, found in by_domain.items()]


def _report(domain: str, counts: Sequence[TlsCount], day: str, hostname: str) -> dict[str, Any]:
    by_policy: dict[tuple[str, str], list[TlsCount]] = {}
    for each in counts:
        by_policy.setdefault((each.policy_type, each.policy), []).append(each)
    return {
        "organization-name": hostname,
        "date-range": {
            "start-datetime": f"{day}T00:00:00Z",
            "end-datetime": f"{day}T23:59:59Z",
        },
        "contact-info": f"postmaster@{hostname}",
        "report-id": f"{day}.{domain}@{hostname}",
        "policies": [
            _policy(domain, kind, json.loads(policy), found)
            for (kind, policy), found in by_policy.items()
        ],
    }


def _policy(
    domain: str, kind: str, lines: Sequence[str], counts: Sequence[TlsCount]
) -> dict[str, Any]:
    policy: dict[str, Any] = {"policy-type": kind, "policy-domain": domain}
    if lines:
        policy["policy-string"] = lines
    if kind == PolicyType.STS.value:
        policy["mx-host"] = [line.removeprefix(_MX) for line in lines if line.startswith(_MX)]
    elif kind == PolicyType.TLSA.value:
        policy["mx-host"] = list(dict.fromkeys(each.host for each in counts))
    failures = [each for each in counts if each.result != TlsResult.SUCCESS.value]
    failed = sum(each.sessions for each in failures)
    return {
        "policy": policy,
        "summary": {
            "total-successful-session-count": sum(each.sessions for each in counts) - failed,
            "total-failure-session-count": failed,
        },
        "failure-details": [_failure(each) for each in failures],
    }


def _failure(count: TlsCount) -> dict[str, Any]:
    details: dict[str, Any] = {"result-type": count.result}
    if count.host:
        details["receiving-mx-hostname"] = count.host
    return {**details, "failed-session-count": count.sessions}
