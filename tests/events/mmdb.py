"""Writes small database files in MaxMind's format, version 2.0, for IPv4."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"
_SEPARATOR = bytes(16)
_TEXT, _UINT16, _UINT32, _MAP = 2, 5, 6, 7
_ARRAY = 11


def write_mmdb(file: Path, records: Mapping[str, Mapping[str, Any]]) -> None:
    """A file with a record for each network; no network may contain another."""
    data = b""
    # A node is two branches: the number of another node, the offset of a record, or nothing.
    nodes: list[list[Any]] = [[None, None]]
    for network, record in records.items():
        _put(nodes, IPv4Network(network), ("record", len(data)))
        data += _encoded(record)
    tree = b"".join(_branch(each, len(nodes)) for node in nodes for each in node)
    metadata = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1,
        "database_type": "Test-City",
        "description": {"en": "test"},
        "ip_version": 4,
        "languages": ["en"],
        "node_count": len(nodes),
        "record_size": 24,
    }
    file.write_bytes(tree + _SEPARATOR + data + _MARKER + _encoded(metadata))


def _put(nodes: list[list[Any]], network: IPv4Network, leaf: tuple[str, int]) -> None:
    bits = [int(network.network_address) >> (31 - depth) & 1 for depth in range(network.prefixlen)]
    node = 0
    for bit in bits[:-1]:
        if nodes[node][bit] is None:
            nodes.append([None, None])
            nodes[node][bit] = len(nodes) - 1
        node = nodes[node][bit]
    nodes[node][bits[-1]] = leaf


def _branch(branch: int | tuple[str, int] | None, count: int) -> bytes:
    if branch is None:
        number = count
    elif isinstance(branch, tuple):
        number = count + len(_SEPARATOR) + branch[1]
    else:
        number = branch
    return number.to_bytes(3, "big")


def _encoded(value: Any) -> bytes:
    if isinstance(value, str):
        return _control(_TEXT, len(value.encode())) + value.encode()
    if isinstance(value, int):
        octets = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return _control(_UINT16 if len(octets) <= 2 else _UINT32, len(octets)) + octets
    if isinstance(value, list):
        return _control(_ARRAY, len(value)) + b"".join(map(_encoded, value))
    pairs = b"".join(_encoded(each) for pair in value.items() for each in pair)
    return _control(_MAP, len(value)) + pairs


def _control(kind: int, size: int) -> bytes:
    assert size < 29
    return bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])
