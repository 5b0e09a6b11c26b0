"""The operator's commands for the queue, for one message, and for the configuration."""

from __future__ import annotations

import json
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.cli.output import one_line
from smtpeter.delivery.blocks import SERIES
from smtpeter.delivery.judgement import message_event
from smtpeter.delivery.receivers import Receiver
from smtpeter.message.content import Content
from smtpeter.message.features import Features
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.store import messages, queue, receivers, tables
from smtpeter.store.accounts import add_account
from smtpeter.store.database import Database
from smtpeter.store.events import Event, append
from smtpeter.store.messages import Message, State
from smtpeter.store.origins import numbers_of
from smtpeter.store.receivers import Destination, ReceiverNews
from smtpeter.store.tables import submissions
from smtpeter.store.trackingkeys import SETTLING_SECONDS, add_key, existing_keys
from smtpeter.transform.comparison import SHOWN_LINES
from smtpeter.transform.identifier import Identifiers
from tests.commands import NOW, CommandCase
from tests.delivery.house import FakeLimits
from tests.store.cases import CONTENT, message, parcel

UNKNOWN = "a" * 16
NO_PORTS = """
state_dir = "state"
[smtp]
starttls = []
implicit_tls = []
[http]
https = []
http = []
public_url = "https://localhost"
"""


class QueueCase(CommandCase):
    """Commands against a database with messages in it."""

    def setUp(self) -> None:
        super().setUp()
        self.state.mkdir()
        self.database = Database.open("sqlite:///smtpeter.db", self.state)
        self.addCleanup(self.database.close)

    def store(self, each: Message, content: Content = CONTENT) -> Message:
        with self.database.begin() as connection:
            for change in messages.additions(each.parcel, content, [each]):
                connection.execute(change.statement, change.rows)
        return each

    def note(self, happened: Event) -> None:
        """Write an event."""
        change = append([happened])
        with self.database.begin() as connection:
            connection.execute(change.statement, change.rows)

    def put_off(self, each: Message, reply: str) -> None:
        change = messages.outcome(each, State.WAITING, due=NOW + 60, reply=reply, now=NOW)
        with self.database.begin() as connection:
            connection.execute(change.statement, change.rows)

    def story(self, each: Message) -> queue.Story:
        with self.database.connect() as connection:
            found = queue.message_story(connection, each.id)
        assert found is not None
        return found


class QueueTests(QueueCase):
    """`smtpeter queue`."""

    def test_overview(self) -> None:
        """Each receiver is told with depth, oldest, next attempt, last reply and throttle."""
        with self.config.open("a") as config:
            config.write('[delivery.receivers."other.example"]\nconnections = 3\nrate = "120/m"\n')
        self.put_off(self.store(message()), "450 4.7.1 Later")
        self.store(message(destination="other.example", due=NOW + 5))
        first, second = self.document("queue")
        self.assertEqual(
            {
                "receiver": "mailbox.example",
                "depth": 1,
                "destinations": 1,
                "oldest": "2023-11-14T22:13:20Z",
                "next_attempt": "2023-11-14T22:14:20Z",
                "last_reply": "450 4.7.1 Later",
                "on_their_way": 0,
                "health": "ok",
                "refused_accounts": [],
                "throttle": {
                    "connections": 10,
                    "messages_per_connection": 1000,
                    "messages_per_second": None,
                    "until": None,
                    "why": "",
                },
                "last_replies": [],
            },
            first,
        )
        throttle = second["throttle"]
        self.assertEqual((3, 2.0), (throttle["connections"], throttle["messages_per_second"]))
        text = self.text("queue")
        for words in ("mailbox.example", "450 4.7.1 Later", "10 connections", "2/s"):
            self.assertIn(words, text)

    def test_learnt(self) -> None:
        """Domains at the same hosts are one receiver, with what was learnt of it and why."""
        self.store(message(destination="one.example"))
        self.store(message(destination="two.example", due=NOW + 5))
        self.store(message(destination="elsewhere.example"))
        receiver = Receiver("mx.hoster.example", "", FakeLimits(), NOW)
        throttled = Outcome(Verdict.DEFERRED, "error", "mailfrom", 421, "4.7.0", "too fast")
        until = receiver.heard(throttled, NOW - 1, NOW + 600)
        assert until is not None
        news = ReceiverNews(
            {receiver.name: receiver.as_dict()},
            found=[
                Destination(name, receiver.name, ["mx.hoster.example"])
                for name in ("one.example", "two.example")
            ],
        )
        with self.database.begin() as connection:
            receivers.save(connection, news, NOW)
        _, found = self.document("queue")
        self.assertEqual(
            ("mx.hoster.example", 2, 2, "paused"),
            (found["receiver"], found["depth"], found["destinations"], found["health"]),
        )
        self.assertEqual("421 too fast", found["throttle"]["why"])
        self.assertEqual(found["throttle"]["until"], found["next_attempt"])
        self.assertEqual("rate", found["last_replies"][0]["class"])
        text = self.text("queue", "--receiver", "mx.hoster.example")
        self.assertIn("421 too fast", text)
        self.assertIn("paused", text)
        retried = self.document("queue", "retry", "--receiver", "mx.hoster.example")
        self.assertEqual({"retried": 2}, retried)

    def test_refused(self) -> None:
        """Whose mail a receiver refuses again and again is told, and what it says."""
        with self.database.begin() as connection:
            account = add_account(connection, "noor@shop.example", "", NOW)
        self.store(message())
        receiver = Receiver("mailbox.example", "", FakeLimits(), NOW)
        blocked = Outcome(Verdict.FAILED, "error", "rcptto", 550, "5.7.1", "listed by blocklist")
        for second in range(SERIES):
            receiver.heard(blocked, NOW + second, NOW + second, account.id)
        for second in range(SERIES):
            receiver.heard(blocked, NOW + second, NOW + second, 99)
        with self.database.begin() as connection:
            receivers.save(connection, ReceiverNews({receiver.name: receiver.as_dict()}), NOW)
        [found] = self.document("queue")
        self.assertEqual(
            ("refusing", ["noor@shop.example", "-"], "550 listed by blocklist"),
            (found["health"], found["refused_accounts"], found["throttle"]["why"]),
        )
        self.assertIn("refusing", self.text("queue"))

    def test_pools(self) -> None:
        """Mail from another pool of addresses has a queue of its own, with the same limits."""
        with self.config.open("a") as config:
            config.write('[delivery.receivers."mailbox.example"]\nconnections = 4\n')
        self.store(message())
        self.store(evolve(message(), pool="news"))
        names = [each["receiver"] for each in self.document("queue")]
        self.assertEqual(["mailbox.example", "mailbox.example (news)"], names)
        for name, expected in ((names[0], names), (names[1], names[1:])):
            found = self.document("queue", "--receiver", name)
            self.assertEqual(expected, [each["receiver"] for each in found])
            self.assertEqual({4}, {each["throttle"]["connections"] for each in found})
        cancelled = self.document("queue", "cancel", "--receiver", names[1])
        self.assertEqual({"cancelled": 1}, cancelled)

    def test_one_receiver(self) -> None:
        """The overview can be of one receiver, in whatever case it is written."""
        self.store(message())
        self.store(message(destination="other.example"))
        (found,) = self.document("queue", "--receiver", "Other.example")
        self.assertEqual("other.example", found["receiver"])

    def test_smart_host(self) -> None:
        """A smart host has the throttle of its name without the port."""
        with self.config.open("a") as config:
            config.write('[delivery.receivers."relay.example"]\nconnections = 4\n')
        self.store(message(destination="relay.example:587"))
        (found,) = self.document("queue")
        self.assertEqual(4, found["throttle"]["connections"])

    def test_empty(self) -> None:
        """An empty queue is an empty array, and a sentence for a person."""
        self.assertEqual([], self.document("queue"))
        self.assertEqual("No message waits.\n", self.text("queue"))

    def test_reply_of_a_stranger(self) -> None:
        """What a server replied moves no cursor and starts no line."""
        self.put_off(self.store(message()), "450 \x1b[2J\nreceiver " + "x" * 200)
        text = self.text("queue")
        self.assertEqual(2, text.count("\n"))
        self.assertNotIn("\x1b", text)
        self.assertLess(len(text.splitlines()[1]), 200)

    def test_options_before_a_subcommand(self) -> None:
        """An option that would be passed over in silence is an error."""
        self.assertIn("behind retry", self.complaint("queue", "--receiver", "a", "retry"))

    def test_retry(self) -> None:
        """One message, those of a receiver, or all are made due at once."""
        here = self.store(message(due=NOW + 100))
        there = self.store(message(due=NOW + 100, destination="other.example"))
        self.assertEqual({"retried": 1}, self.document("queue", "retry", here.id))
        self.assertEqual(NOW, self.story(here).message.due)
        self.assertEqual(NOW + 100, self.story(there).message.due)
        self.assertEqual(
            "1 message will be tried at once.\n",
            self.text("queue", "retry", "--receiver", "other.example"),
        )
        self.assertEqual(NOW, self.story(there).message.due)
        self.assertEqual({"retried": 2}, self.document("queue", "retry"))

    def test_cancel(self) -> None:
        """One message or those of a receiver are ended."""
        one = self.store(message())
        others = [self.store(message(destination="other.example")) for _ in range(2)]
        self.assertEqual({"cancelled": 1}, self.document("queue", "cancel", one.id))
        self.assertEqual(
            "2 messages will not be delivered.\n",
            self.text("queue", "cancel", "--receiver", "other.example"),
        )
        for each in (one, *others):
            self.assertIs(State.CANCELLED, self.story(each).state)

    def test_nothing_to_change(self) -> None:
        """A message or receiver for which nothing can be done is an error that says why."""
        done = self.store(message())
        self.text("queue", "cancel", done.id)
        for command in ("retry", "cancel"):
            self.assertEqual(
                f"there is no message '{UNKNOWN}'", self.complaint("queue", command, UNKNOWN)
            )
            self.assertEqual(
                f"the message '{done.id}' does not wait: it is cancelled",
                self.complaint("queue", command, done.id),
            )
            self.assertEqual(
                "no message waits for 'other.example'",
                self.complaint("queue", command, "--receiver", "other.example"),
            )

    def test_unclear(self) -> None:
        """What is to be changed has to be said, once, and correctly."""
        self.assertIn("which message?", self.complaint("queue", "cancel"))
        for command in ("retry", "cancel"):
            both = self.complaint("queue", command, UNKNOWN, "--receiver", "other.example")
            self.assertIn("not both", both)
            self.assertIn("16 letters and digits", self.complaint("queue", command, "../x"))


class MessageTests(QueueCase):
    """`smtpeter message`."""

    def test_waiting(self) -> None:
        """A message that waits is told with its submission and its next attempt."""
        new = self.store(
            message(of=parcel(features=Features(trackclicks=True, tags=("news", "may"))))
        )
        self.put_off(new, "450 4.7.1 Later")
        document = self.document("message", new.id)
        self.assertEqual(new.id, document["message"])
        self.assertEqual("waiting", document["state"])
        self.assertEqual("450 4.7.1 Later", document["last_reply"])
        self.assertEqual("2023-11-14T22:14:20Z", document["next_attempt"])
        self.assertIsNone(document["finished"])
        self.assertEqual("noor@shop.example", document["submission"]["sender"])
        self.assertEqual(["news", "may"], document["submission"]["tags"])
        self.assertTrue(document["submission"]["features"]["trackclicks"])
        self.assertEqual([], document["events"])

    def test_finished(self) -> None:
        """A message that is over is told with its end and its events, and has no next attempt."""
        new = self.store(message())
        self.text("queue", "cancel", new.id)
        document = self.document("message", new.id)
        self.assertEqual("cancelled", document["state"])
        self.assertEqual("2023-11-14T22:13:20Z", document["finished"])
        self.assertIsNone(document["next_attempt"])
        self.assertEqual(
            [
                {
                    "time": "2023-11-14T22:13:20Z",
                    "event": "cancellation",
                    "details": {"description": "Cancelled by the operator"},
                }
            ],
            document["events"],
        )

    def test_for_a_person(self) -> None:
        """A person reads the same, a fact on each line."""
        new = self.store(message())
        self.put_off(new, "450 \x1b[2J\nstate delivered")
        self.text("queue", "cancel", new.id)
        lines = self.text("message", new.id).splitlines()
        self.assertIn("state         cancelled", lines)
        self.assertIn("last_reply    450 [2J state delivered", lines)
        self.assertIn("2023-11-14T22:13:20Z  cancellation", lines)
        self.assertIn("  description  Cancelled by the operator", lines)

    def test_unknown(self) -> None:
        """A message that never was is an error."""
        self.assertEqual(f"there is no message '{UNKNOWN}'", self.complaint("message", UNKNOWN))


class ChangesTests(QueueCase):
    """What `smtpeter message` says of stages, and of what they changed."""

    def newsletter(self, html: str, **facts: Any) -> Message:
        """Store a message with its features on."""
        octets = f"From: noor@shop.example\r\nContent-Type: text/html\r\n\r\n{html}\r\n".encode()
        features = Features(inlinecss=True, trackclicks=True)
        of = parcel(features=features, octets=len(octets), **facts)
        return self.store(message(of=of), Content.from_octets(octets))

    def happened(self, one: Message, kind: str, **details: str) -> None:
        self.note(message_event(one, kind, NOW, details))

    def test_stages(self) -> None:
        """The stages of the last attempt are told with their times."""
        one = self.newsletter("<p>")
        self.happened(one, "deferral", stages="read 9.0")
        self.happened(one, "delivery", stages="read 0.1, inlinecss 12.5")
        self.assertEqual(
            [
                {"stage": "read", "milliseconds": 0.1},
                {"stage": "inlinecss", "milliseconds": 12.5},
            ],
            self.document("message", one.id)["stages"],
        )
        self.assertIn("stage inlinecss  12.5 ms", self.text("message", one.id).splitlines())

    def test_difference(self) -> None:
        """The HTML is compared as it was submitted and as it was delivered, with its links."""
        with self.database.begin() as connection:
            keys = existing_keys(connection, NOW)
            numbers = numbers_of(connection, ["https://shop.example"])
        one = self.newsletter(
            "<style>b{color:red}</style><p><b>x</b>"
            '<a href="https://shop.example/boots">boots</a></p>'
        )
        link = Identifiers(keys[0].secret).make(one.id, "click", 0, numbers["https://shop.example"])
        [change] = self.document("message", one.id)["changes"]
        self.assertEqual(["--- submitted", "+++ delivered"], change["lines"][:2])
        self.assertIn("-<b>x", change["lines"])
        self.assertIn('+<b style="color:red">x', change["lines"])
        self.assertTrue(any(f"/boots-{link}" in line for line in change["lines"]), change)
        self.assertIn("-<b>x", self.text("message", one.id).splitlines())

    def test_sender_domain(self) -> None:
        """Links are compared with the host that the author's domain has."""
        with self.database.begin() as connection:
            noor = add_account(connection, "noor@shop.example", "hash", NOW)
        self.text("domain", "add", noor.email, "shop.example", "--https", "on")
        one = self.newsletter('<a href="https://a.example/boots">boots</a>', account_id=noor.id)
        [change] = self.document("message", one.id)["changes"]
        self.assertTrue(any("//clicks.shop.example:8443/boots" in line for line in change["lines"]))

    def test_after_a_rotation(self) -> None:
        """The links shown are those of the time of the delivery, not of today's key."""
        with self.database.begin() as connection:
            keys = existing_keys(connection, NOW)
            numbers = numbers_of(connection, ["https://shop.example"])
            newer = add_key(connection, NOW + 10)
        one = self.newsletter('<a href="https://shop.example/boots">boots</a>')
        for attempted, key in ((NOW + 20, keys[0]), (NOW + 20 + SETTLING_SECONDS, newer)):
            with self.database.begin() as connection:
                connection.execute(update(tables.messages).values(attempted=attempted))
            number = numbers["https://shop.example"]
            link = Identifiers(key.secret).make(one.id, "click", 0, number)
            [change] = self.document("message", one.id)["changes"]
            self.assertTrue(any(f"/boots-{link}" in line for line in change["lines"]), change)

    def test_no_key_yet(self) -> None:
        """While no link was ever made, the comparison does without identifiers."""
        one = self.newsletter('<a href="https://shop.example/boots">boots</a>')
        [change] = self.document("message", one.id)["changes"]
        self.assertTrue(any("/boots-" in line for line in change["lines"]))

    def test_skipped(self) -> None:
        """A stage that was skipped has changed nothing."""
        one = self.newsletter("<style>b{color:red}</style><b>x</b>")
        self.happened(one, "transform", stage="inlinecss", description="too slow")
        self.assertEqual([], self.document("message", one.id)["changes"])

    def test_bounded(self) -> None:
        """A long difference is cut, and says so; nothing in it moves a cursor."""
        one = self.newsletter("<style>b{color:red}</style>" + "<b>\x1b[2J</b>" * 300)
        [change] = self.document("message", one.id)["changes"]
        self.assertEqual(SHOWN_LINES, len(change["lines"]))
        self.assertGreater(change["omitted"], 100)
        shown = self.text("message", one.id)
        self.assertIn(f"... and {change['omitted']} lines more", shown)
        self.assertNotIn("\x1b", shown)

    def test_content_gone(self) -> None:
        """Without the content there is nothing to compare."""
        one = self.newsletter("<style>b{color:red}</style><b>x</b>")
        with self.database.begin() as connection:
            connection.execute(update(submissions).values(content=None))
        self.assertEqual([], self.document("message", one.id)["changes"])


class CheckTests(CommandCase):
    """`smtpeter check`."""

    def setUp(self) -> None:
        super().setUp()
        self.config.write_text(NO_PORTS)

    def test_good(self) -> None:
        """A configuration without a fault is called so."""
        self.assertEqual(f"{self.config} has no fault.\n", self.text("check"))
        self.assertEqual({"faults": [], "warnings": []}, self.document("check"))

    def test_doubts(self) -> None:
        """What works, but hardly as it is meant, is told, and is no fault."""
        with self.config.open("a") as config:
            config.write('[delivery]\nmode = "mx"\nconnections = 500\n')
        first, second = self.document("check")["warnings"]
        self.assertIn("delivery.connections: 500", first)
        self.assertIn("smtp.accept_local", second)
        self.assertEqual(
            f"warning: {first}\nwarning: {second}\n{self.config} has no fault.\n",
            self.text("check"),
        )

    def test_faults(self) -> None:
        """Every fault is reported, and the status is 1 with one line that names the first."""
        self.config.write_text('hostname = 5\n[delivery]\nmode = "pigeon"\n')
        result = self.invoke("check")
        self.assertEqual(
            (1, 2, 1), (result.exit_code, result.stdout.count("\n"), result.stderr.count("\n"))
        )
        self.assertIn("hostname", result.stdout)
        self.assertIn("delivery.mode", result.stdout)
        self.assertTrue(result.stderr.endswith("(and 1 more)\n"), result.stderr)
        result = self.invoke("check", "--json")
        self.assertEqual(1, result.exit_code)
        self.assertEqual(2, len(json.loads(result.stdout)["faults"]))

    def test_rehearsal(self) -> None:
        """So is what a start would meet beyond the file."""
        self.state.write_text("a file is in the way")
        result = self.invoke("check", "--json")
        self.assertEqual(1, result.exit_code)
        [fault] = json.loads(result.stdout)["faults"]
        self.assertEqual(f"smtpeter: {fault}\n", result.stderr)

    def test_one_fault(self) -> None:
        """A single fault is the line."""
        self.config.write_text("hostname = 5\n")
        result = self.invoke("check")
        self.assertEqual(f"smtpeter: {result.stdout}", result.stderr)


class OneLineTests(SynchronousTestCase):
    """What others have said, on a terminal."""

    @given(st.text(max_size=100), st.integers(3, 50))
    def test_any_text(self, text: str, characters: int) -> None:
        """Whatever it was, it is printable and no longer than allowed."""
        shown = one_line(text, characters)
        self.assertTrue(shown.isprintable())
        self.assertLessEqual(len(shown), characters)
