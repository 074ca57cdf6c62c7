"""Asks as fast as bare sockets can: bytes out, bytes in, nothing parsed. Arguments: port, requests, sockets.

Shows what the provider can do; no contestant is that cheap.
"""

import asyncio
import json
import sys

import uvloop

PORT, REQUESTS, SOCKETS = map(int, sys.argv[1:4])
BODY = json.dumps({"model": "small", "messages": [{"role": "user", "content": "Say something."}]}).encode()
HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer bench\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
)
REQUEST = HEAD % len(BODY) + BODY


class Asker(asyncio.Protocol):
    """One connection that asks again whenever an answer's last byte came."""

    def __init__(self, left: int, ended: asyncio.Future[None]) -> None:
        self._left, self._ended = left, ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        if not data.endswith(b"}"):
            return
        self._left -= 1
        if self._left > 0:
            self._transport.write(REQUEST)
        else:
            self._transport.close()
            self._ended.set_result(None)


async def main() -> None:
    loop = asyncio.get_running_loop()
    ends = [loop.create_future() for _ in range(SOCKETS)]
    for end in ends:
        await loop.create_connection(lambda end=end: Asker(REQUESTS // SOCKETS, end), "127.0.0.1", PORT)
    await asyncio.wait_for(asyncio.gather(*ends), 60)


uvloop.run(main())
