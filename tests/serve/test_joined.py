"""Heads and bodies of answers in one write."""

import asyncio
from typing import cast

import pytest

from edgewise.serve.joined import JoinedWrites

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Written:
    """What a transport was told."""

    def __init__(self) -> None:
        self.told: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def close(self) -> None:
        self.told.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.told


def told(*steps: bytes | str) -> list[bytes | str]:
    """Write and close one after the other, then let the event loop turn once; tells what reached the transport."""

    async def do() -> list[bytes | str]:
        written = Written()
        joined = JoinedWrites(cast("asyncio.Transport", written), asyncio.get_running_loop())
        for step in steps:
            if isinstance(step, bytes):
                joined.write(step)
            elif step == "close":
                joined.close()
            else:
                await asyncio.sleep(0)
        assert joined.is_closing() == ("close" in steps)
        await asyncio.sleep(0)
        return list(written.told)

    return asyncio.run(do())


@pytest.mark.parametrize(
    ("steps", "reached"),
    [
        ((HEAD, b"{}"), [HEAD + b"{}"]),
        ((HEAD, b"{}", HEAD, b"[]"), [HEAD + b"{}", HEAD + b"[]"]),
        ((HEAD,), [HEAD]),  # to HEAD, or 304: no body comes
        ((HEAD, "turn", b"{}"), [HEAD, b"{}"]),  # a body that is still being made
        ((HEAD, "close"), [HEAD, "closed"]),
        ((HEAD + b"{}", "close"), [HEAD + b"{}", "closed"]),
        ((HEAD, b"", b"more"), [HEAD, b"more"]),
    ],
    ids=["body", "two answers", "no body", "late body", "close", "whole", "empty body"],
)
def test_a_head_goes_with_its_body_and_never_stays(steps: tuple[bytes | str, ...], reached: list[bytes | str]) -> None:
    assert told(*steps) == reached
