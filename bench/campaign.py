"""The phases of newsletters.py: saturated by turns, then at half the daemon's rate."""

import sys
import threading
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.arrived import Check
from bench.content import Maker
from bench.figures import Figures, medians
from bench.load import Load, Reuse, Sent
from bench.newsletter import Monsters, Newsletters
from bench.phase import Phase, Scenario, Stand
from bench.server import Server
from bench.sink import Kept
from bench.worker import GeneratorWorker

MONSTER_ID = 900_000_000_000  # the first of theirs; no newsletter gets so far
SATURATED, ALONE, WITH_MONSTERS = "saturated", "half, alone", "half, with monsters"

_POSTFIX_MESSAGES = 400  # its in_flow_delay (1 s) makes much less than that look slow
_OUR_MESSAGES = 100
_MAX_MESSAGES = 6000  # they are made beforehand, and lie in memory
_GUESSED_RATE = 60.0
_HALF = 0.5
_MONSTERS_PER_SECOND = 1.0
_MONSTER_SESSIONS = 4
_MONSTER_SECONDS = 90.0
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class OfNewsletters(Scenario):
    """Newsletters, all of them different."""

    def maker(self) -> Maker:
        return Newsletters()


NEWSLETTERS = OfNewsletters(40 * 1024, Reuse.MANY)


class Spoiled(Exception):
    """A message was lost, so that nothing measured after it could be trusted."""


@dataclass(frozen=True)
class Monster:
    """
    What became of one.

    Args:
        message: as it arrived; None when it did not.
        seconds: from its last octet to its arrival.
    """

    message_id: int
    message: Kept | None
    seconds: float


@dataclass
class Campaign:
    """
    Runs all phases; what it has found so far is in `phases`, `monsters` and `faults`.

    Args:
        stand: where.
        servers: running; they take turns in changing order.
        monster_generator: a second one.
        checks: of newsletters that arrived, by server.
        rounds: how often each server is saturated.
        seconds: how long a phase lasts, about.
        progress: is told what is being done, one line at a time.
    """

    stand: Stand
    servers: Sequence[Server]
    monster_generator: GeneratorWorker
    checks: Mapping[str, Check]
    rounds: int
    seconds: float
    progress: Callable[[str], None] = field(
        default=lambda text: print(text, file=sys.stderr, flush=True)
    )
    phases: list[tuple[str, Phase]] = field(default_factory=list)
    monsters: list[Monster] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _rates: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        """
        Run all phases.

        Raises:
            Spoiled: a message is missing; `faults` says of which phase.
        """
        self.progress("warming up")
        for server in self.servers:
            self._saturate(server, "warm-up", 0)
        for number in range(self.rounds):
            self.progress(f"round {number + 1} of {self.rounds}, as fast as possible")
            for server in self.servers[::-1] if number % 2 else self.servers:
                self._saturate(server, SATURATED, self.seconds)
        for server in self.servers:
            if server.name == "smtpeter":
                self.progress("at half of its rate")
                self._at_half(server, ALONE)
                self.progress("at half of its rate, with monsters")
                self._with_monsters(server)

    def median_figures(self, kind: str, server: str) -> Figures:
        """Medians over the rounds so far; empty if there was none."""
        return medians(
            phase.figures
            for its_kind, phase in self.phases
            if (its_kind, phase.server) == (kind, server)
        )

    def _saturate(self, server: Server, kind: str, seconds: float) -> None:
        rate = self._rates.get(server.name, _GUESSED_RATE)
        least = _POSTFIX_MESSAGES if server.name == "postfix" else _OUR_MESSAGES
        count = min(max(int(rate * seconds), least), _MAX_MESSAGES)
        phase = self.stand.measure(server, NEWSLETTERS, count, expected_seconds=count / rate)
        self._rates[server.name] = phase.figures["delivered_per_second"] or rate
        self._note(kind, phase)

    def _at_half(
        self, server: Server, kind: str, at_start: Callable[[], object] = lambda: None
    ) -> None:
        saturated = self.median_figures(SATURATED, server.name)
        rate = saturated["delivered_per_second"] * _HALF
        count = min(max(int(rate * 2 * self.seconds), 1), _MAX_MESSAGES)
        phase = self.stand.measure(
            server,
            NEWSLETTERS,
            count,
            rate=rate,
            expected_seconds=count / rate,
            at_start=at_start,
        )
        self._note(kind, phase)

    def _with_monsters(self, server: Server) -> None:
        """One a second, as long as the phase lasts."""
        load = Load(
            target=server.target,
            first_id=MONSTER_ID,
            messages=max(int(2 * self.seconds * _MONSTERS_PER_SECOND), 1),
            maker=Monsters(),
            reuse=Reuse.MANY,
            messages_per_second=_MONSTERS_PER_SECOND,
            resume=False,
            deadline_seconds=_MONSTER_SECONDS,
            sessions=_MONSTER_SESSIONS,
        )
        self.monster_generator.prepare(load)
        sent: list[Sent] = []
        sending = threading.Thread(target=lambda: sent.append(self.monster_generator.start(load)))
        try:
            self._at_half(server, WITH_MONSTERS, sending.start)
        finally:
            if sending.ident is not None:
                sending.join()
        if not sent or sent[0].refused:
            reasons = sent[0].failures if sent else "the generator failed"
            self.faults.append(f"monsters were not accepted: {reasons}")
        if sent:
            self._collect_monsters(load, sent[0])

    def _collect_monsters(self, load: Load, sent: Sent) -> None:
        """Wait for those that are still in the daemon."""
        kept = [*self.phases[-1][1].kept]
        deadline = time.monotonic() + _MONSTER_SECONDS
        while True:
            arrived = {each.message_id: each for each in kept if each.message_id >= MONSTER_ID}
            if len(arrived) >= load.messages - sent.refused or time.monotonic() > deadline:
                break
            time.sleep(_LOOK_SECONDS)
            late = self.stand.late_arrivals()
            kept += late.kept
            if late.ids:
                self.faults.append(f"{len(late.ids)} newsletters came twice or very late")
        content_sent_at = array("d")
        content_sent_at.frombytes(sent.content_sent_at)
        for message_id, sent_at in enumerate(content_sent_at, MONSTER_ID):
            message = arrived.get(message_id)
            seconds = message.arrived_at - sent_at if message is not None else float("nan")
            self.monsters.append(Monster(message_id, message, seconds))

    def _note(self, kind: str, phase: Phase) -> None:
        """Keep the figures of a phase, and look at what arrived."""
        self.phases.append((kind, phase))
        maker = Newsletters()
        found = list(phase.faults)
        newsletters = [each for each in phase.kept if each.message_id < MONSTER_ID]
        if not newsletters:
            found.append("the sink kept no newsletter that could be looked at")
        for each in newsletters:
            found += self.checks[phase.server](each, maker)
        self.faults += [f"{phase.server}, {kind}: {fault}" for fault in found]
        if phase.missing or not phase.figures["delivered_per_second"]:
            raise Spoiled(f"{phase.server}, {kind}")
