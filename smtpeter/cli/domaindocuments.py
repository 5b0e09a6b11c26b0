"""Sender domains as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from smtpeter.advising import report_addresses, sources_by_settings, sources_of
from smtpeter.cli.command import Operator
from smtpeter.cli.output import moment
from smtpeter.dns.proof import Proof
from smtpeter.store.accounts import Account
from smtpeter.store.domains import SenderDomain


def domain_documents(
    operator: Operator, domains: Sequence[SenderDomain], owners: Mapping[int, Account]
) -> list[dict[str, Any]]:
    """
    What is known of each. The DNS is asked for our addresses where nothing else tells them.

    Args:
        owners: the accounts that have them, by their numbers.
    """
    config = operator.config()
    pools = [each.pool or owners[each.account_id].pool for each in domains]
    sources = {pool: sources_by_settings(config, pool) for pool in pools}
    unknown = [pool for pool, known in sources.items() if known is None]
    if unknown:  # they all have the addresses of the host name
        found = operator.ask(config, lambda names, _: sources_of(config, unknown[0], names))
        sources |= dict.fromkeys(unknown, found)
    return [
        {
            "name": each.name,
            "account": owners[each.account_id].email,
            "approved": each.approved is not None,
            "bounces": each.bounce_host,
            "tracking": each.tracking_host,
            "https": each.https,
            "ips": list(sources[pool] or ()),
            "policy": each.dmarc.policy,
            "percentage": each.dmarc.percentage,
            "startdate": each.dmarc.startdate and each.dmarc.startdate.isoformat(),
            "enddate": each.dmarc.enddate and each.dmarc.enddate.isoformat(),
            "addresses": list(report_addresses(config, each)),
            "pool": each.pool,
            "spf": list(each.mechanisms),
            "created": moment(each.created),
            "proof": each.proof and _proof(each.proof),
        }
        for each, pool in zip(domains, pools, strict=True)
    ]


def _proof(proof: Proof) -> dict[str, str]:
    return {"name": proof.name, "type": "TXT", "value": proof.value}
