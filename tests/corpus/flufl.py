"""
Mails that came back to others: the samples of flufl.bounce, fetched when they are used.

They are in its source archive only. What is to be read in them stands in a table of its tests.
"""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from smtpeter.values import frozen
from tests.corpus.packages import Unreachable, cache

_WHAT = "flufl.bounce==6.0.0"
_ARCHIVE = "flufl_bounce-6.0.0.tar.gz"
_SHA256 = "a1df16b9d1877ae4536f7d76c00d8421fcefbe694f80f5285d05c45a2547b1bc"
_TABLE = "tests/test_detectors.py"
_SAMPLES = "tests/data/"
_FETCH_SECONDS = 180.0


@frozen
class Sample:
    """
    A mail, and what flufl.bounce reads in it.

    Attributes:
        addresses: in lower case; none for a mail that is no error, or names nobody.
        is_temporary: the server goes on trying.
    """

    name: str
    octets: bytes
    addresses: frozenset[str]
    is_temporary: bool


def samples() -> list[Sample]:
    """
    All of them.

    Raises:
        Unreachable: the archive could not be fetched, or is not what it was.
    """
    files = _files(_archive())
    table = _table(files[_TABLE].decode())
    nothing = (frozenset[str](), False)
    return [
        Sample(name, octets, *table.get(name, nothing))
        for name, octets in (
            (path.removeprefix(_SAMPLES), octets)
            for path, octets in sorted(files.items())
            if path.startswith(_SAMPLES) and path.endswith(".txt")
        )
    ]


def _table(source: str) -> dict[str, tuple[frozenset[str], bool]]:
    """For some mails there is a row of a detector that finds nothing; another one counts then."""
    table: dict[str, tuple[frozenset[str], bool]] = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "DETECTORS":
            for _, name, addresses, is_temporary in ast.literal_eval(statement.value):
                found = frozenset(address.decode().lower() for address in addresses)
                if found or name not in table:
                    table[name] = (found, is_temporary)
    return table


def _archive() -> Path:
    path = cache() / _ARCHIVE
    if not path.exists():
        _fetch(path)
    if hashlib.sha256(path.read_bytes()).hexdigest() != _SHA256:
        path.unlink()
        raise Unreachable(f"{_WHAT} is not the archive it was")
    return path


def _fetch(path: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--no-binary", ":all:", _WHAT]
    with tempfile.TemporaryDirectory(dir=path.parent) as directory:
        try:
            done = subprocess.run(
                command, cwd=directory, capture_output=True, timeout=_FETCH_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Unreachable(f"{_WHAT} did not come in {_FETCH_SECONDS:g} s") from error
        archive = Path(directory) / _ARCHIVE
        if done.returncode or not archive.exists():
            said = (done.stdout + done.stderr).decode(errors="replace").strip()
            raise Unreachable(f"{_WHAT} could not be fetched: {said}")
        archive.rename(path)


def _files(archive: Path) -> dict[str, bytes]:
    """By their paths within the archive."""
    files: dict[str, bytes] = {}
    with tarfile.open(archive) as members:
        for member in members:
            if member.isfile():
                content = members.extractfile(member)
                assert content is not None
                files[member.name.partition("/")[2]] = content.read()
    return files
