import http.client
import json
import re
import smtplib
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from tests.scenarios.daemon import ACCOUNT, Daemon, Login
from tests.scenarios.mails import RECIPIENT, SENDER, mail, subjects
from tests.scenarios.programs import WAIT_SECONDS, wait_for

GONE = "gone@mailbox.example"


def reply(client: smtplib.SMTP, subject: str, recipients: Sequence[str] = (RECIPIENT,)) -> str:
    """What is said to a message."""
    client.mail(SENDER)
    for each in recipients:
        client.rcpt(each)
    code, text = client.data(mail(subject))
    return f"{code} {text.decode()}"


def arrived(daemon: Daemon, *expected: str) -> None:
    """Wait until exactly these have arrived, by their subjects."""
    wait_for("the mail", lambda: subjects(daemon.captured()) == sorted(expected))


class AdmissionTests(SynchronousTestCase):
    """What an account may send, and to whom."""

    def test_refused_and_suppressed(self) -> None:
        """What may not be sent is refused, or fails at once; answers, event and report say why."""
        rules = {"accounts.require_sender_domain": "always", "accounts.over_quota": "refuse"}
        with Daemon(rules) as daemon:
            daemon.account()
            login, token = daemon.login(), daemon.token()
            with daemon.client(login) as client:
                self.assertEqual(
                    "550 5.7.1 You cannot send mailings from shop.example without configuring it "
                    "as sender domain",
                    reply(client, "1"),
                )
                daemon.asked("domain", "add", ACCOUNT, "shop.example")
                daemon.asked("quota", "set", ACCOUNT, "--login", login.username, "--month", "1")
                daemon.asked("suppression", "add", ACCOUNT, GONE.upper())
                said = reply(client, "2", (RECIPIENT, GONE))
                found = re.fullmatch(r"250 Ok, queued as (\w+)\nOk, suppressed as (\w+)", said)
                assert found is not None, said
                over = reply(client, "3")
            self.assertTrue(
                over.startswith("452 4.2.2 Over the quota of 1 message a month for the login"), over
            )
            story = daemon.asked("message", found[2])
            self.assertEqual("failed", story["state"])
            self.assertEqual(["attempt", "failure"], [each["event"] for each in story["events"]])
            self.assertEqual("1", self.suppressed(daemon, token, [RECIPIENT, GONE]))
            arrived(daemon, "2", "By REST", "Your message could not be delivered")

    def suppressed(self, daemon: Daemon, token: str, recipients: list[str]) -> str | None:
        """How many recipients are suppressed, as the answer to a REST call says."""
        connection = http.client.HTTPSConnection(
            "localhost", daemon.https, timeout=WAIT_SECONDS, context=daemon.trust()
        )
        self.addCleanup(connection.close)
        document = {"recipient": recipients, "mime": mail("By REST").decode()}
        fields = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        connection.request("POST", "/v1/send", json.dumps(document), fields)
        answer = connection.getresponse()
        self.assertEqual(recipients, list(json.load(answer).values()))
        return answer.getheader("Suppressed-Count")

    def test_quota(self) -> None:
        """What is over waits, also beyond the end of the process, and goes when there is room."""
        with Daemon() as daemon:
            daemon.account()
            login = daemon.login()
            daemon.asked("quota", "set", ACCOUNT, "--month", "2")
            self.send(daemon, login, "1", "2", "3")
            arrived(daemon, "1", "2")
            daemon.kill()
            daemon.start()
            self.send(daemon, login, "4")
            [quota] = daemon.asked("quota", "set", ACCOUNT, "--month", "3")
            self.assertEqual((3, 1), (quota["used"], quota["waiting"]))
            arrived(daemon, "1", "2", "3")
            daemon.asked("quota", "remove", ACCOUNT)
            arrived(daemon, "1", "2", "3", "4")

    def send(self, daemon: Daemon, login: Login, *subjects: str) -> None:
        with daemon.client(login) as client:
            for each in subjects:
                self.assertTrue(reply(client, each).startswith("250 Ok, queued as "))
