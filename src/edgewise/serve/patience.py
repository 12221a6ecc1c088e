"""Connections on which a request's head comes too slowly, or never ends, are closed; bodies have a limit of their own."""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from edgewise.serve.joined import JoinedWrites

_MAX_HEAD_BYTES = 65_536


class PatientForSoLong(HttpToolsProtocol):
    """uvicorn's protocol, with an end to its patience; `impatient_after` sets when."""

    head_timeout_s: ClassVar[float]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, but not for ever."""
        super().connection_made(transport)
        self.transport = JoinedWrites(transport, self.loop)  # type: ignore[assignment]
        self._in_head, self._n_bytes = True, 0
        self._deadline: asyncio.TimerHandle | None = None
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what came, and see whether a head is still under way."""
        super().data_received(data)
        if not self._in_head:
            self._stop_waiting()
            return
        self._wait()
        self._n_bytes += len(data)
        if self._n_bytes > _MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"the head of the request is longer than {_MAX_HEAD_BYTES} bytes.")

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        self._in_head, self._n_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that it has ended."""
        self._in_head = False
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.head_timeout_s, self.timeout_keep_alive_handler)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def impatient_after(head_timeout_s: float) -> type[asyncio.Protocol]:
    """Return the protocol for uvicorn that gives a head so many seconds to arrive."""
    return type("Patient", (PatientForSoLong,), {"head_timeout_s": head_timeout_s})
