import signal
import smtplib
import threading

from twisted.trial.unittest import SynchronousTestCase

from tests.scenarios.daemon import Daemon, Login
from tests.scenarios.mails import RECIPIENT, SENDER, mail, smarthost, subjects
from tests.scenarios.programs import wait_for
from tests.scenarios.receiver import Behaviour, Receiver


class Sender(threading.Thread):
    """Hands in messages, one after another, until the server is gone."""

    def __init__(self, daemon: Daemon, login: Login, name: str) -> None:
        super().__init__(daemon=True)
        self._daemon = daemon
        self._login = login
        self._name = name
        self.taken: list[str] = []

    def run(self) -> None:
        try:
            with self._daemon.client(self._login) as client:
                for number in range(100_000):
                    subject = f"{self._name}-{number}"
                    client.sendmail(SENDER, [RECIPIENT], mail(subject))
                    self.taken.append(subject)
        except (smtplib.SMTPException, OSError):
            pass


def taken_until(daemon: Daemon, count: int, end: str, prefix: str = "") -> list[str]:
    """Let four senders hand in mail until there is enough, then end the daemon; the subjects."""
    login = daemon.login()
    senders = [Sender(daemon, login, prefix + name) for name in "abcd"]
    for sender in senders:
        sender.start()
    wait_for("mail", lambda: sum(len(sender.taken) for sender in senders) >= count)
    if end == "kill":
        daemon.kill()
    else:
        daemon.terminate()
    for sender in senders:
        sender.join(30)
    return [subject for sender in senders for subject in sender.taken]


def arrived(receiver: Receiver, taken: list[str]) -> list[str]:
    """The subjects of all that arrived, once everything that was taken did."""
    wait_for(
        "all that was taken",
        lambda: {*subjects([each.content for each in receiver.received])} >= {*taken},
    )
    return subjects([each.content for each in receiver.received])


class EndTests(SynchronousTestCase):
    """Nothing that got its 250 is lost, however the process ends."""

    def test_killed_while_receiving(self) -> None:
        """Killed in the middle of its work, it delivers later all that it took, and once."""
        with (
            Receiver(Behaviour(recipient="451 4.3.0 not now")) as receiver,
            Daemon(smarthost(receiver)) as daemon,
        ):
            daemon.account()
            taken = taken_until(daemon, 200, "kill")
            receiver.behaviour = Behaviour()
            daemon.start()
            came = arrived(receiver, taken)
        self.assertEqual(sorted({*came}), came)
        # taken in the very moment, at most one per sender got no answer any more
        self.assertLessEqual(len(set(came) - set(taken)), 4)

    def test_killed_while_delivering(self) -> None:
        """Killed while it delivers, it repeats no more than was on its way."""
        with Receiver() as receiver, Daemon(smarthost(receiver)) as daemon:
            daemon.account()
            taken = taken_until(daemon, 200, "kill")
            before = len(receiver.received)
            daemon.start()
            came = arrived(receiver, taken)
        self.assertGreater(before, 0)
        self.assertLessEqual(len(came) - len(set(came)), 10)  # connections to one receiver

    def test_killed_again_and_again(self) -> None:
        """Killed three times in a row, it has lost nothing in the end."""
        taken: list[str] = []
        with (
            Receiver(Behaviour(content="451 4.3.0 not now")) as receiver,
            Daemon(smarthost(receiver)) as daemon,
        ):
            daemon.account()
            for turn in range(3):
                taken += taken_until(daemon, 30, "kill", f"{turn}")
                daemon.start()
            receiver.behaviour = Behaviour()
            came = arrived(receiver, taken)
        self.assertEqual(sorted({*came}), came)

    def test_terminated(self) -> None:
        """Told to end while it receives and delivers, it loses nothing and repeats nothing."""
        with Receiver() as receiver, Daemon(smarthost(receiver)) as daemon:
            daemon.account()
            taken = taken_until(daemon, 100, "terminate")
            self.assertNotIn("Traceback", daemon.log())
            daemon.start()
            came = arrived(receiver, taken)
        self.assertEqual(sorted({*came}), came)

    def test_terminated_during_slow_delivery(self) -> None:
        """A delivery in progress is finished before it ends, and not repeated."""
        with (
            Receiver(Behaviour(delay_seconds=2.0)) as receiver,
            Daemon(smarthost(receiver)) as daemon,
        ):
            daemon.account()
            login = daemon.login()
            with daemon.client(login) as client:
                client.sendmail(SENDER, [RECIPIENT], mail("first"))
            wait_for("its content", lambda: receiver.contents)
            daemon.terminate()
            self.assertEqual(1, len(receiver.received))
            receiver.behaviour = Behaviour()
            daemon.start()
            with daemon.client(login) as client:
                client.sendmail(SENDER, [RECIPIENT], mail("second"))
            came = arrived(receiver, ["second"])
        self.assertEqual(["first", "second"], came)

    def test_status(self) -> None:
        """Told to end, it ends with status 0 or by the signal."""
        with Daemon() as daemon:
            self.assertIn(daemon.terminate(), {0, -signal.SIGTERM})
