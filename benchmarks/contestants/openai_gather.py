"""The openai SDK, gather and a semaphore. Arguments: URL, texts file, calls in flight, unary or stream."""

import asyncio
import sys
from pathlib import Path

from openai import AsyncOpenAI

URL, TEXTS, IN_FLIGHT, HOW = sys.argv[1:5]


async def ask(client: AsyncOpenAI, gate: asyncio.Semaphore, text: str) -> int:
    async with gate:
        messages = [{"role": "user", "content": text}]
        if HOW == "unary":
            reply = await client.chat.completions.create(model="small", messages=messages)
            return len(reply.choices[0].message.content)
        size = 0
        async for part in await client.chat.completions.create(model="small", messages=messages, stream=True):
            if part.choices:
                size += len(part.choices[0].delta.content or "")
        return size


async def main() -> None:
    texts = Path(TEXTS).read_text().splitlines()
    gate = asyncio.Semaphore(int(IN_FLIGHT))
    async with AsyncOpenAI(base_url=URL, api_key="bench", timeout=120, max_retries=6) as client:
        sizes = await asyncio.gather(*(ask(client, gate, text) for text in texts))
    assert len(sizes) == len(texts)
    assert all(sizes)


asyncio.run(main())
