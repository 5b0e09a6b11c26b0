"""What was asked for of each message a moment ago: programs follow many links at once."""

from __future__ import annotations

from collections import OrderedDict, deque

from smtpeter.events.signals import LINKS_WINDOW_SECONDS
from smtpeter.events.visit import Visit

MESSAGES_LIMIT = 10_000
VISITS_LIMIT = 50  # of one message


class Bursts:
    """The latest visits of the messages visited last."""

    def __init__(self) -> None:
        self._recent: OrderedDict[str, deque[Visit]] = OrderedDict()

    def note(self, visit: Visit) -> None:
        """Remember a visit. All of a batch are noted before the first of them is judged."""
        recent = self._recent.setdefault(visit.message, deque(maxlen=VISITS_LIMIT))
        recent.append(visit)
        self._recent.move_to_end(visit.message)
        if len(self._recent) > MESSAGES_LIMIT:
            self._recent.popitem(last=False)

    def different_links(self, visit: Visit) -> int:
        """How many links of the message were followed around that time, with this one."""
        links = {each.link for each in self._near(visit) if each.kind == visit.kind}
        return len(links | {visit.link})

    def method(self, visit: Visit) -> str:
        """HEAD for a GET of whoever has sent a HEAD for the same message around that time."""
        headed = any(
            each.method == "HEAD" and each.address == visit.address for each in self._near(visit)
        )
        return "HEAD" if headed else visit.method

    def _near(self, visit: Visit) -> list[Visit]:
        recent = self._recent.get(visit.message, ())
        return [each for each in recent if abs(each.time - visit.time) <= LINKS_WINDOW_SECONDS]
