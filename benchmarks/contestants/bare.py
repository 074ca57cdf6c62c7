"""The floor: aiohttp, a semaphore and nothing else. Stores nothing, retries nothing.

Arguments: URL, texts file (one a line), calls in flight, "unary" or "stream", folder of images or "".
"""

import asyncio
import base64
import json
import sys
from pathlib import Path

import aiohttp

try:
    import uvloop
except ImportError:
    uvloop = None

URL, TEXTS, IN_FLIGHT, HOW, IMAGES = sys.argv[1:6]
HEADERS = {"Authorization": "Bearer bench", "Content-Type": "application/json"}


def content(text: str) -> object:
    if not IMAGES:
        return text
    data = base64.b64encode(Path(IMAGES, text).read_bytes()).decode()
    image = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}
    return [image, {"type": "text", "text": "Say something."}]


async def ask(session: aiohttp.ClientSession, gate: asyncio.Semaphore, text: str) -> int:
    async with gate:
        body = {"model": "small", "messages": [{"role": "user", "content": content(text)}]}
        if HOW == "stream":
            body["stream"] = True
        async with session.post(f"{URL}/chat/completions", data=json.dumps(body), headers=HEADERS) as reply:
            if HOW == "unary":
                return len(json.loads(await reply.read())["choices"][0]["message"]["content"])
            pieces = []
            async for line in reply.content:
                if line.startswith(b"data: {"):
                    choices = json.loads(line[6:])["choices"]
                    if choices:
                        pieces.append(choices[0]["delta"].get("content") or "")
            return len("".join(pieces))


async def main() -> None:
    texts = Path(TEXTS).read_text().splitlines()
    gate = asyncio.Semaphore(int(IN_FLIGHT))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        sizes = await asyncio.gather(*(ask(session, gate, text) for text in texts))
    assert len(sizes) == len(texts)
    assert all(sizes)


with asyncio.Runner(loop_factory=uvloop.new_event_loop if uvloop else None) as runner:
    runner.run(main())
