"""Large content on its way out, at the pace of the other side."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer

from smtpeter.message.content import Content
from smtpeter.smtp.transparency import DotStuffer


@implementer(IPushProducer)
class ContentSender:
    """
    Writes content block by block, and no further block while the transport is full.

    Args:
        progressed: called before each block.
        finished: called when all has been handed to the transport.
    """

    def __init__(
        self,
        transport: IConsumer,
        content: Content,
        progressed: Callable[[], None],
        finished: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._blocks = iter(content.blocks)
        self._stuffer = DotStuffer()
        self._progressed = progressed
        self._finished = finished
        self._paused = False
        self._over = False

    def start(self) -> None:
        self._transport.registerProducer(self, True)
        self._write()

    def stop(self) -> None:
        """Write nothing any more."""
        if not self._over:
            self._over = True
            self._transport.unregisterProducer()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._write()

    def stopProducing(self) -> None:
        """The connection is gone."""
        self._over = True
        self._blocks = iter(())  # a layer of TLS may keep us until Python looks for circles

    def _write(self) -> None:
        while not self._paused and not self._over:
            self._progressed()
            block = next(self._blocks, None)
            if block is None:
                self._transport.write(self._stuffer.end())
                self.stop()
                self._finished()
            else:
                self._transport.write(self._stuffer.encode(block))
