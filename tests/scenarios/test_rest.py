import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.scenarios.daemon import Daemon
from tests.scenarios.mails import RECIPIENT, SENDER, mail, parsed
from tests.scenarios.programs import require, run, wait_for

STATUS = "%{stderr}%{http_code}"


def curl(daemon: Daemon, url: str, *options: str, stdin: bytes = b"") -> tuple[int, Any]:
    """The status and the document that a call answers with."""
    done = run(
        *(require("curl"), "--silent", "--cacert", str(daemon.certificate)),
        *("--write-out", STATUS, *options, url),
        stdin=stdin,
    )
    return int(done.stderr), json.loads(done.stdout)


class CurlTests(SynchronousTestCase):
    """curl sends by REST."""

    def test_json(self) -> None:
        """A JSON document becomes a message, and the answer names it."""
        require("curl")
        with Daemon() as daemon:
            daemon.account()
            url = f"https://localhost:{daemon.https}/v1/send?access_token={daemon.token()}"
            fields = {
                "envelope": SENDER,
                "recipients": [RECIPIENT, "ria@mailbox.example"],
                "from": f"Noor <{SENDER}>",
                "subject": "Gr\u00fc\u00dfe",
                "text": "plain",
                "html": "<p>rich</p>",
            }
            status, answer = curl(daemon, url, "--json", json.dumps(fields))
            self.assertEqual(200, status, answer)
            self.assertEqual({RECIPIENT, "ria@mailbox.example"}, {*answer.values()})
            wait_for("both messages", lambda: len(daemon.captured()) >= 2)
            message = parsed(daemon.captured()[0])
            self.assertEqual("Gr\u00fc\u00dfe", message["Subject"])
            self.assertEqual("multipart/alternative", message.get_content_type())

    def test_form(self) -> None:
        """A form with a finished message does the same."""
        require("curl")
        with Daemon() as daemon:
            daemon.account()
            status, answer = curl(
                daemon,
                f"https://localhost:{daemon.https}/v1/send",
                *("--header", f"Authorization: Bearer {daemon.token()}"),
                *("--data-urlencode", f"envelope={SENDER}"),
                *("--data-urlencode", f"recipient={RECIPIENT}"),
                *("--data-urlencode", "mime@-"),
                *("--data", "trackclicks=0&trackopens=0&trackbounces=0"),
                stdin=mail("by form"),
            )
            self.assertEqual(200, status, answer)
            wait_for("the message", daemon.captured)
            self.assertEqual("by form", parsed(daemon.captured()[0])["Subject"])

    def test_wrong_token(self) -> None:
        """A token that is unknown opens nothing."""
        require("curl")
        with Daemon() as daemon:
            url = f"https://localhost:{daemon.https}/v1/send?access_token=unknown"
            status, answer = curl(daemon, url, "--json", "{}")
            self.assertEqual(401, status)
            self.assertEqual({"error": {"message": "Invalid access token"}}, answer)

    def test_in_clear(self) -> None:
        """In clear there is no API."""
        require("curl")
        with Daemon() as daemon:
            daemon.account()
            url = f"http://localhost:{daemon.http}/v1/send?access_token={daemon.token()}"
            status, answer = curl(daemon, url, "--json", "{}")
            self.assertEqual(400, status)
            self.assertIn("error", answer)
