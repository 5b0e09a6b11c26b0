"""Inliners of CSS, each with what it takes to use it a first time and again."""

import functools
import gc
import importlib
import json
import logging
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

JUICE = "juice@12.2.0"
_SCRIPT = Path(__file__).parent / "juice.mjs"
_INSTALL_SECONDS = 300.0
_ANSWER_SECONDS = 20.0


class Unavailable(Exception):
    """An inliner is not installed, or its package cannot be had."""


class Failed(Exception):
    """An inliner gave up on a mail."""


Times = Callable[[str, float, int], list[float]]
"""CPU milliseconds of each run over a mail: for so many seconds, and at least so many runs."""


def ours(*, cold: bool) -> Times:
    """
    Our own.

    Args:
        cold: everything that was remembered of any sheet is forgotten before each run.
    """
    inliner_type: Any = importlib.import_module("smtpeter.transform.inlinecss").Inliner
    remembered = inliner_type()

    def prepared() -> Callable[[str], str]:
        if not cold:
            return remembered.inline  # type: ignore[no-any-return]
        _forget("smtpeter.transform")
        return inliner_type().inline  # type: ignore[no-any-return]

    return functools.partial(_times, prepared)


def premailer(*, cold: bool) -> Times:
    """Premailer, which remembers sheets, selectors and declarations in a cache for all of them."""
    module = _module("premailer")
    cache = importlib.import_module("premailer.cache").cache

    def inline(html: str) -> object:
        return module.Premailer(
            html,
            allow_network=False,
            allow_loading_external_files=False,
            cssutils_logging_level=logging.CRITICAL,
            disable_validation=True,
        ).transform()

    def prepared() -> Callable[[str], object]:
        if cold:
            cache.clear()
        return inline

    return functools.partial(_times, prepared)


def css_inline() -> Times:
    """css-inline, which remembers nothing; as we do, it keeps the rules that cannot be inlined."""
    inliner = _module("css_inline").CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
    return functools.partial(_times, lambda: inliner.inline)


class Juice:
    """
    Juice, in a process of Node that stays, so that starting it does not count.

    Args:
        directory: an empty one, for the package.
    """

    def __init__(self, directory: Path) -> None:
        npm, node = shutil.which("npm"), shutil.which("node")
        if npm is None or node is None:
            raise Unavailable("juice needs node and npm")
        (directory / "package.json").write_text("{}", "ascii")
        install = [npm, "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", JUICE]
        done = subprocess.run(
            install, cwd=directory, capture_output=True, timeout=_INSTALL_SECONDS, check=False
        )
        if done.returncode:
            said = (done.stdout + done.stderr).decode(errors="replace").strip()
            raise Unavailable(f"{JUICE} cannot be installed: {said}")
        self._command = [node, str(_SCRIPT), str(directory)]
        self._process: subprocess.Popen[bytes] | None = None

    def times(self, html: str, seconds: float, runs: int) -> list[float]:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        question = {"html": html, "seconds": seconds, "runs": runs}
        answer = json.loads(self._answer(self._process, json.dumps(question).encode() + b"\n"))
        if "failed" in answer:
            raise Failed(answer["failed"])
        figures: list[float] = answer["figures"]
        return figures

    def _answer(self, process: subprocess.Popen[bytes], line: bytes) -> bytes:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(_ANSWER_SECONDS):  # there are sheets on which it never ends
                self.close()
                raise Failed(f"no answer in {_ANSWER_SECONDS:g} s")
        return process.stdout.readline()

    def close(self) -> None:
        """End the process; it starts again when it is needed."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _times(
    prepared: Callable[[], Callable[[str], object]], html: str, seconds: float, runs: int
) -> list[float]:
    figures: list[float] = []
    end = time.monotonic() + seconds
    while len(figures) < runs or time.monotonic() < end:
        inline = prepared()
        began = time.process_time()
        try:
            inline(html)
        except Exception as error:
            raise Failed(repr(error)) from error
        figures.append((time.process_time() - began) * 1000)
    return figures


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unavailable(f"{name} is missing: pip install '.[bench]'") from error


def _forget(package: str) -> None:
    """Empty the caches of functions of a package."""
    for cached in _caches(package):
        cached.cache_clear()


@functools.cache
def _caches(package: str) -> list[Any]:
    kind: type = type(_caches)
    modules = [name for name in sys.modules if f"{name}.".startswith(f"{package}.")]
    return [
        each
        for each in gc.get_objects()
        if isinstance(each, kind) and getattr(each, "__module__", None) in modules
    ]
