from sqlalchemy import select, update

from smtpeter.message.content import BLOCK_OCTETS, Content
from smtpeter.message.envelope import Envelope
from smtpeter.message.features import Features
from smtpeter.store import messages
from smtpeter.store.due import due_messages
from smtpeter.store.messages import NORMAL, Message, State, Stream
from smtpeter.store.tables import messages as table
from smtpeter.store.tables import submissions
from tests.store.cases import CONTENT, NOW, DatabaseCase, OnPostgresql, message, parcel

NO_LIMIT = 1000


class MessageTests(DatabaseCase):
    """Messages that wait, and their contents."""

    def due(
        self, now: float = NOW, limit: int = NO_LIMIT, destination: str = "mailbox.example"
    ) -> list[Message]:
        with self.database.connect() as connection:
            return list(
                due_messages(connection, Stream(destination, 0, NORMAL, ""), now, limit).found
            )

    def conclude(self, each: Message, state: State, due: float = NOW, reply: str = "") -> None:
        change = messages.outcome(each, state, due=due, reply=reply, now=NOW + 1)
        with self.database.begin() as connection:
            connection.execute(change.statement, change.rows)

    def row(self, each: Message) -> dict[str, object]:
        with self.database.connect() as connection:
            found = connection.execute(select(table).where(table.c.id == each.id))
            return dict(found.mappings().one())

    def test_everything_comes_back(self) -> None:
        """A message and its submission are read back as they were written."""
        new = message(
            address="kees@bücher.example",
            of=parcel(
                ret="HDRS",
                envid="order-5512",
                eightbit=True,
                smtputf8=True,
                features=Features(trackclicks=True, images="hosted", tags=("news", "may")),
                template_id=12,
            ),
            notify=frozenset({"FAILURE", "DELAY"}),
            orcpt="rfc822;info@mailbox.example",
        )
        self.store(new)
        (found,) = self.due()
        self.assertEqual(new, found)
        self.assertEqual(new.recipient.mailbox.domain, found.recipient.mailbox.domain)
        self.assertEqual(
            Envelope(new.parcel.sender, (new.recipient,), "HDRS", "order-5512", True, True),
            found.envelope(),
        )

    def test_little_said(self) -> None:
        """So is one of which nothing optional was said."""
        new = message(of=parcel(sender=""))
        self.store(new)
        self.assertEqual([new], self.due())
        self.assertEqual("", new.parcel.reverse_path)
        self.assertEqual("", new.parcel.tags)

    def test_odd_characters(self) -> None:
        """Quoted and international addresses and odd names come back as they were."""
        new = message(
            address='"a\\"b @ c"@mailbox.example',
            of=parcel(sender="büro@shop.example", login="\U0001f600 %s :x ?", envid="\u2028é"),
        )
        self.store(new)
        self.assertEqual([new], self.due())

    def test_oldest_first(self) -> None:
        """Due messages come in the order of their time, not more than asked for, none early."""
        late, early, later = (message(due=NOW + seconds) for seconds in (5, 1, 9))
        for each in (late, early, later):
            self.store(each)
        self.assertEqual([early, late], self.due(NOW + 5))
        self.assertEqual([early], self.due(NOW + 5, limit=1))
        self.assertEqual([], self.due(NOW))

    def test_receivers_apart(self) -> None:
        """Each receiver has its own queue."""
        here, there = message(), message(destination="other.example", due=NOW + 3)
        self.store(here)
        self.store(there)
        self.assertEqual([here], self.due())
        with self.database.connect() as connection:
            self.assertEqual(
                {(here.stream, NOW), (there.stream, NOW + 3)},
                set(messages.waiting_streams(connection)),
            )
            self.assertEqual(
                [(there.stream, NOW + 3)],
                messages.waiting_streams(connection, ["other.example"]),
            )

    def test_put_off(self) -> None:
        """A message that is put off waits on, with the attempt counted and the reply kept."""
        new = message()
        self.store(new)
        self.conclude(new, State.WAITING, due=NOW + 60, reply="450 later")
        self.assertEqual([], self.due(NOW + 59))
        (found,) = self.due(NOW + 60)
        self.assertEqual((1, NOW + 1), (found.attempts, found.attempted))
        row = self.row(new)
        self.assertEqual("450 later", row["last_reply"])
        self.assertIsNone(row["finished"])

    def test_finished(self) -> None:
        """A message that is delivered or failed waits no longer."""
        for state in (State.DELIVERED, State.FAILED):
            new = message()
            self.store(new)
            self.conclude(new, state)
            row = self.row(new)
            self.assertEqual((state, NOW + 1, 1), (row["state"], row["finished"], row["attempts"]))
        self.assertEqual([], self.due())

    def test_outcome_of_what_is_over(self) -> None:
        """An outcome changes nothing when the message does not wait any more."""
        new = message()
        self.store(new)
        self.conclude(new, State.FAILED, reply="550 no")
        before = self.row(new)
        self.conclude(new, State.DELIVERED, reply="250 ok")
        self.assertEqual(before, self.row(new))

    def test_reply_with_nul(self) -> None:
        """A reply may hold any octet, NUL too; what no database takes is replaced."""
        new = message()
        self.store(new)
        self.conclude(new, State.WAITING, reply="450 a\0b \ud800 c")
        self.assertEqual("450 a\ufffdb \ufffd c", self.row(new)["last_reply"])

    def test_is_stored(self) -> None:
        """It can be asked whether a submission arrived."""
        new, other = message(), message()
        self.store(new)
        with self.database.connect() as connection:
            self.assertTrue(messages.is_stored(connection, new.parcel.key))
            self.assertFalse(messages.is_stored(connection, other.parcel.key))

    def test_greatest_key(self) -> None:
        """The greatest key in use is known; it is 0 in an empty database."""
        with self.database.connect() as connection:
            self.assertEqual(0, messages.greatest_key(connection))
        self.store(message(of=parcel(key=1_700_000_000_000_000)))
        self.store(message(of=parcel(key=5_000_000)))
        with self.database.connect() as connection:
            self.assertEqual(1_700_000_000_000_000, messages.greatest_key(connection))


class ContentTests(DatabaseCase):
    """Contents, small and large."""

    def load(self, key: int) -> Content | None:
        with self.database.connect() as connection:
            return messages.load_content(connection, key)

    def store_content(self, content: Content) -> int:
        new = message(of=parcel(octets=content.octets))
        self.store(new, content=content)
        return new.parcel.key

    def test_one_block(self) -> None:
        """A small content comes back as it was."""
        self.assertEqual(CONTENT, self.load(self.store_content(CONTENT)))

    def test_any_octets(self) -> None:
        """A content may hold every octet."""
        content = Content.from_blocks([b"a: b\r\n\r\n" + bytes(range(256))])
        self.assertEqual(content, self.load(self.store_content(content)))

    def test_many_blocks(self) -> None:
        """A large content comes back in the same blocks, in their order."""
        blocks = [b"a: b\r\n\r\n", *(bytes([number]) * BLOCK_OCTETS for number in range(12))]
        content = Content.from_blocks(blocks)
        key = self.store_content(content)
        self.store_content(Content.from_blocks([b"c: d\r\n\r\n", b"other"]))
        loaded = self.load(key)
        self.assertEqual(content, loaded)
        assert loaded is not None
        self.assertEqual(content.blocks, loaded.blocks)

    def test_unknown(self) -> None:
        """There is no content for a submission that is not there."""
        self.assertIsNone(self.load(5))

    def test_purged(self) -> None:
        """A submission may outlive its content."""
        key = self.store_content(CONTENT)
        with self.database.begin() as connection:
            connection.execute(
                update(submissions).where(submissions.c.key == key).values(content=None)
            )
        self.assertIsNone(self.load(key))


class RerouteTests(DatabaseCase):
    """Waiting messages in a configuration other than the one they came in."""

    def reroute(self, name: str) -> list[tuple[str, float]]:
        def destination_of(domain: str) -> str:
            return name or domain

        with self.database.begin() as connection:
            messages.reroute(connection, destination_of)
            found = messages.waiting_streams(connection)
            return sorted((stream.destination, due) for stream, due in found)

    def test_to_a_smart_host_and_back(self) -> None:
        """What waited for domains waits for the smart host, and the other way round."""
        self.store(message("a@one.example", destination="one.example"))
        self.store(message("b@two.example", destination="two.example", due=NOW + 1))
        self.assertEqual([("relay.example:587", NOW)], self.reroute("relay.example:587"))
        self.assertEqual([("one.example", NOW), ("two.example", NOW + 1)], self.reroute(""))

    def test_nothing_to_do(self) -> None:
        """What waits for the right receiver stays there."""
        self.store(message("a@one.example", destination="one.example"))
        self.assertEqual([("one.example", NOW)], self.reroute(""))


class MessageOnPostgresqlTests(OnPostgresql, MessageTests):
    """The same on PostgreSQL."""


class ContentOnPostgresqlTests(OnPostgresql, ContentTests):
    """The same on PostgreSQL."""


class RerouteOnPostgresqlTests(OnPostgresql, RerouteTests):
    """The same on PostgreSQL."""
