"""The head of an answer and its body in one write: each write is a call of the system, and may wake the caller for half an answer."""

import asyncio
from typing import Any


class JoinedWrites:
    """A transport that holds the head of an answer until the next write, or until the event loop has done what it was about to do.

    Args:
        transport: does everything but that. loop: its event loop.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        """Leave the rest to the transport itself."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, or hold what is a head and nothing else."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        elif data[:5] == b"HTTP/" and data[-4:] == b"\r\n\r\n":
            self._held = data
            self._loop.call_soon(self.flush)
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write what is held."""
        if self._held:
            self.write(b"")

    def close(self) -> None:
        """Write what is held and close."""
        self.flush()
        self._transport.close()
