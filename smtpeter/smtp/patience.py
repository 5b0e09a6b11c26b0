"""How long a session waits for its client, with one timer for all its waits."""

from __future__ import annotations

import math
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from smtpeter.message.reply import Reply
from smtpeter.smtp import answers
from smtpeter.smtp.surroundings import ServerSettings

CLOSE_SECONDS = 10.0


class Patience:
    """
    Watches the clock over a client that has to say something.

    The timer is not moved with each command, which would cost more than the command. It
    looks now and then at how long ago the last was answered, and often enough to be exact.

    Args:
        part: called when the session has lasted long enough; it ends after what has begun.
        hang_up: called when the client has let us wait too long.
        abort: called when it does not even let us hang up.
    """

    def __init__(
        self,
        clock: IReactorTime,
        settings: ServerSettings,
        part: Callable[[Reply], None],
        hang_up: Callable[[Reply], None],
        abort: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._part = part
        self._hang_up = hang_up
        self._abort = abort
        # No wait that begins between two looks can end before the second.
        self._interval = min(settings.command_seconds, settings.content_seconds)
        self._since = clock.seconds()
        self._end = self._since + settings.session_seconds
        self._for_content = self._ours = self._parting = False
        self._timer = clock.callLater(min(self._interval, settings.session_seconds), self._look)

    def wait_for_command(self) -> None:
        """It is the client's turn, and this is when it began."""
        self._since = self._clock.seconds()
        self._for_content = self._ours = False

    def wait_for_content(self) -> None:
        """The same, for the next block of content."""
        self._since = self._clock.seconds()
        self._for_content = True
        self._ours = False

    def our_turn(self) -> None:
        """We owe the client a reply; however long that takes, it is not cut short."""
        self._ours = True

    def closing(self) -> None:
        """We have hung up; a client that reads nothing more is not waited for."""
        self.stop()
        self._timer = self._clock.callLater(CLOSE_SECONDS, self._abort)

    def stop(self) -> None:
        if self._timer.active():
            self._timer.cancel()

    def _look(self) -> None:
        now = self._clock.seconds()
        if now >= self._end:
            self._end_session(now)
        elif now >= self._deadline():
            self._hang_up(answers.TIMEOUT)
        else:
            self._look_again(now)

    def _end_session(self, now: float) -> None:
        """Let the client end what it has begun, unless that takes as long again."""
        if self._parting and not self._ours:
            self._hang_up(answers.SESSION_OVER)
            return
        self._end = now + self._settings.session_seconds
        self._look_again(now)
        self._parting = True
        self._part(answers.SESSION_OVER)

    def _deadline(self) -> float:
        """When the client has let us wait too long."""
        if self._ours:
            return math.inf
        settings = self._settings
        patience = settings.content_seconds if self._for_content else settings.command_seconds
        return self._since + patience

    def _look_again(self, now: float) -> None:
        rest = min(self._deadline(), self._end) - now
        self._timer = self._clock.callLater(min(rest, self._interval), self._look)
