"""A browser without a window, driven through its WebDriver server (W3C WebDriver, section 6)."""

from __future__ import annotations

import http.client
import json
import subprocess
import tempfile
import urllib.parse
from types import TracebackType
from typing import Any, Self

from tests.scenarios.programs import free_ports, require, wait_for

# Nothing that a browser does of its own accord, and no network at all: every name fails.
_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--force-device-scale-factor=1",
    "--window-size=1400,1000",
)
_ANSWER_SECONDS = 120.0


class BrowserError(Exception):
    """The browser refused a command, or a script in it failed; the text is its own."""


class Browser:
    """Chromium, from the start of the `with` block to its end."""

    def __enter__(self) -> Self:
        chromium, driver = require("chromium"), require("chromedriver")
        [self._port] = free_ports(1)
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._driver = subprocess.Popen(
            [driver, f"--port={self._port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for("chromedriver", self._is_ready)
            arguments = [*_ARGUMENTS, f"--user-data-dir={self._profile.name}"]
            options = {"binary": chromium, "args": arguments}
            always = {"browserName": "chrome", "goog:chromeOptions": options}
            session = self._send("POST", "/session", {"capabilities": {"alwaysMatch": always}})
            self._session = f"/session/{session['sessionId']}"
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._send("DELETE", self._session)
        finally:
            self._end()

    def open(self, page: str) -> None:
        """Show a page, given as its HTML."""
        url = "data:text/html;charset=utf-8," + urllib.parse.quote(page)
        self._send("POST", f"{self._session}/url", {"url": url})

    def call(self, script: str, *arguments: object) -> Any:
        """What a script returns, the body of a function with these `arguments`."""
        command = {"script": script, "args": arguments}
        return self._send("POST", f"{self._session}/execute/sync", command)

    def _is_ready(self) -> bool:
        try:
            return bool(self._send("GET", "/status")["ready"])
        except OSError:
            return False

    def _end(self) -> None:
        self._driver.terminate()
        self._driver.wait(timeout=_ANSWER_SECONDS)
        self._profile.cleanup()

    def _send(self, method: str, path: str, command: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_SECONDS)
        try:
            body = None if command is None else json.dumps(command)
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            value = json.loads(answer.read())["value"]
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise BrowserError(f"{value['error']}: {value['message']}")
        return value
