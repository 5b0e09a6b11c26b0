"""Bounces that come home: to the real daemon, by real SMTP."""

from __future__ import annotations

import re
import smtplib
from collections import defaultdict

from twisted.trial.unittest import SynchronousTestCase

from tests.arrivals.house import AWAY, COMPLAINT, LETTER, REPORT, content_of
from tests.scenarios.daemon import ACCOUNT, Daemon
from tests.scenarios.mails import RECIPIENT, SENDER, mail, parsed, smarthost
from tests.scenarios.programs import WAIT_SECONDS, wait_for
from tests.scenarios.receiver import Received, Receiver

POSTMASTER = "root@house.example"
HOST = "bounces.shop.example"


def house(receiver: Receiver) -> Daemon:
    """A daemon that takes mail for itself on its port for STARTTLS."""
    daemon = Daemon()
    local = [f"127.0.0.1:{daemon.starttls}"]
    daemon.configure(smarthost(receiver, smtp_accept_local=local, smtp_postmaster=POSTMASTER))
    return daemon


def sent(daemon: Daemon, receiver: Receiver, subject: str = "Your order") -> Received:
    """A mail with bounces tracked, as the receiver got it."""
    before = len(receiver.received)
    with daemon.client(daemon.login("trackbounces=on")) as client:
        client.sendmail(SENDER, [RECIPIENT], mail(subject))
    return receiver.wait_for(before + 1)[-1]


def message_id(message: Received) -> str:
    return str(parsed(message.content)["X-Message-ID"])


def stranger(daemon: Daemon) -> smtplib.SMTP:
    """A mail server that has come in clear."""
    client = smtplib.SMTP("localhost", daemon.starttls, timeout=WAIT_SECONDS)
    client.ehlo()
    return client


def bring(daemon: Daemon, recipient: str, content: bytes, sender: str = "") -> None:
    with stranger(daemon) as client:
        client.sendmail(sender, [recipient], content)


def events_of(daemon: Daemon, identifier: str) -> dict[str, list[dict[str, str]]]:
    """The details of what happened to a message, by what it was."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for each in daemon.asked("message", identifier)["events"]:
        found[each["event"]].append(each["details"])
    return found


class ComingHomeTests(SynchronousTestCase):
    """A message leaves, and something comes back."""

    def test_bounce(self) -> None:
        """A bounce becomes events of its message, and goes to whoever sent that."""
        with Receiver() as receiver, house(receiver) as daemon:
            daemon.account()
            daemon.asked("domain", "add", ACCOUNT, "shop.example")
            message = sent(daemon, receiver)
            identifier = message_id(message)
            self.assertRegex(message.sender, rf"\A[a-z2-7]{{32}}@{HOST}\Z")
            self.assertIn("NOTIFY=FAILURE", message.recipients[RECIPIENT])

            bounce = bytes(content_of(REPORT, bounce=message.sender))
            bring(daemon, message.sender.upper(), bounce)
            forwarded = receiver.wait_for(2)[-1]
            self.assertEqual(("", [SENDER]), (forwarded.sender, list(forwarded.recipients)))
            self.assertIn("NOTIFY=NEVER", forwarded.recipients[SENDER])
            self.assertTrue(forwarded.content.endswith(bounce))
            added = forwarded.content.removesuffix(bounce)
            self.assertRegex(added, re.compile(rb"\AReceived: from (?:.|\r\n[ \t])*\r\n\Z"))

            happened = events_of(daemon, identifier)
            [failure], [bounced] = happened["failure"], happened["bounce"]
            self.assertEqual(
                ("bounce", "error", "550", "5.1.1", "mailbox", "later"),
                tuple(
                    failure[name] for name in ("state", "type", "code", "status", "class", "source")
                ),
            )
            self.assertEqual("failed", bounced["action"])
            [listed] = daemon.asked("arrivals")
            self.assertEqual(
                (bounced["arrival"], "report", identifier),
                (listed["arrival"], listed["result"], listed["message"]),
            )

    def test_others(self) -> None:
        """What is not ours is refused; complaints and letters find their way."""
        with Receiver() as receiver, house(receiver) as daemon:
            daemon.account()
            message = sent(daemon, receiver)
            self.refused(daemon, message.sender)
            head = message.content.decode().partition("\r\n\r\n")[0].replace("\r\n", "\n")
            complaint = bytes(content_of(COMPLAINT, marks=f"{head}\n"))
            bring(daemon, "abuse@localhost", complaint, "feedback@mailbox.example")
            letter = bytes(content_of(LETTER))
            bring(daemon, "postmaster@localhost", letter, RECIPIENT)
            forwarded = receiver.wait_for(2)[-1]
            self.assertEqual(("", [POSTMASTER]), (forwarded.sender, list(forwarded.recipients)))
            self.assertTrue(forwarded.content.endswith(letter))
            wait_for("the complaint", lambda: events_of(daemon, message_id(message))["abuse"])

    def refused(self, daemon: Daemon, good: str) -> None:
        """Strangers write to us alone, and on other listeners not at all."""
        forged = ("b" if good[0] == "a" else "a") + good[1:]
        with stranger(daemon) as client:
            self.assertEqual(250, client.mail("")[0])
            for recipient, code, words in (
                (forged, 550, b"5.1.1 No such address"),
                (RECIPIENT, 530, b"5.7.0 Must issue a STARTTLS command first"),
                (good, 250, b"Recipient OK"),
                ("postmaster", 250, b"Recipient OK"),
                ("abuse@localhost", 250, b"Recipient OK"),
                ("noor@localhost", 530, b"5.7.0 Must issue a STARTTLS command first"),
            ):
                self.assertEqual((code, words), client.rcpt(recipient), recipient)
            client.rset()
            client.starttls(context=daemon.trust())
            client.ehlo()
            client.mail("")
            self.assertEqual((530, b"5.7.0 Authentication required"), client.rcpt(RECIPIENT))
            self.assertEqual(250, client.rcpt(good)[0])
        with smtplib.SMTP_SSL("localhost", daemon.implicit_tls, context=daemon.trust()) as client:
            client.ehlo()
            self.assertEqual((530, b"5.7.0 Authentication required"), client.mail(""))

    def test_killed(self) -> None:
        """Killed right after it has taken them, it loses none, and counts none twice."""
        with Receiver() as receiver, house(receiver) as daemon:
            daemon.account()
            message = sent(daemon, receiver)
            subjects = [f"Away {number}" for number in range(40)]
            with stranger(daemon) as client:
                for subject in subjects:
                    answer = AWAY.replace("Out of office: Your order", subject)
                    client.sendmail(
                        RECIPIENT,
                        [message.sender],
                        bytes(content_of(answer, bounce=message.sender)),
                    )
                daemon.kill()
            daemon.start()
            receiver.wait_for(1 + len(subjects))
            came = {str(parsed(each.content)["Subject"]) for each in receiver.received[1:]}
            self.assertEqual(set(subjects), came)
            responses = events_of(daemon, message_id(message))["response"]
            self.assertEqual(len(subjects), len({each["arrival"] for each in responses}))
            self.assertEqual(len(subjects), len(responses))
