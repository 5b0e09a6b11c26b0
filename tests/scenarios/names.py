"""A name server with a zone of its own, as Twisted brings one."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.scenarios.programs import free_ports, wait_for

_ZONE = """
zone = [
    SOA(
        "{domain}", mname="ns.{domain}", rname="root.{domain}",
        serial=1, refresh="1H", retry="1H", expire="1D", minimum="1m",
    ),
    {records}
]
"""


class NameServer:
    """
    Answers for one domain on a port of 127.0.0.1, for the length of a `with` block.

    Args:
        records: in Twisted's notation, such as `MX("mailbox.example", 10, "mx.mailbox.example")`;
            of names in the domain.
    """

    def __init__(self, domain: str, *records: str) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="names-")
        zone = Path(self._temporary.name) / domain
        zone.write_text(_ZONE.format(domain=domain, records=",\n    ".join(records)))
        self._zone = zone
        [self.port] = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        twistd = Path(sys.executable).with_name("twistd")
        options = [
            "--interface",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--pyzone",
            str(self._zone),
        ]
        self._process = subprocess.Popen(
            [twistd, "-n", "--pidfile=", "dns", *options],
            cwd=self._temporary.name,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for("the name server", self._listens)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._temporary.cleanup()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
