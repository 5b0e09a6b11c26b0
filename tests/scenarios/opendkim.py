"""opendkim, which verifies signatures of messages that lie in files."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.scenarios.programs import require, run

# Lines that do not end with CRLF are an error, instead of being made to.
_SETTINGS = """
TestPublicKeys {directory}/keys
TemporaryDirectory {directory}
AuthservID receiver.example
AlwaysAddARHeader yes
StrictTestMode yes
"""

_LONGEST_LINE_OCTETS = 65_000  # what its test mode reads as one
_MESSAGE = "### INSHEADER:"
_SIGNATURE = re.compile(r"\bdkim=(\w+)[^;]* header\.s=(\S+)")


def results(messages: Sequence[bytes], records: Mapping[str, str]) -> list[dict[str, str]]:
    """
    What it says of each message: selector to "pass", "fail", or another result of RFC 8601.

    Args:
        messages: as they were delivered.
        records: what is published: name to the text of a TXT record.

    Raises:
        SkipTest: it is not installed; AssertionError where scenarios were asked for.
    """
    program = require("opendkim")
    with tempfile.TemporaryDirectory(prefix="opendkim-") as name:
        directory = Path(name)
        settings, keys = directory / "settings", directory / "keys"
        settings.write_text(_SETTINGS.format(directory=directory))
        keys.write_text("".join(f"{name} {text}\n" for name, text in records.items()))
        files = [_written(directory / str(number), each) for number, each in enumerate(messages)]
        done = run(program, "-x", settings, "-vv", "-t", ",".join(map(str, files)))
    _, *said = done.stdout.decode("utf-8", "replace").split(_MESSAGE)
    if len(said) != len(messages):
        raise AssertionError(f"{len(said)} results for {len(messages)} messages: {said}")
    return [{selector: result for result, selector in _SIGNATURE.findall(each)} for each in said]


def _written(file: Path, message: bytes) -> Path:
    assert max(map(len, message.split(b"\r\n"))) < _LONGEST_LINE_OCTETS
    file.write_bytes(message)
    return file
