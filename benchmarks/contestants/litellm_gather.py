"""litellm's SDK with gather and a semaphore. Arguments: URL, texts file, calls in flight, unary or stream."""

import asyncio
import sys
from pathlib import Path

import litellm

URL, TEXTS, IN_FLIGHT, HOW = sys.argv[1:5]
litellm.telemetry = False
litellm.suppress_debug_info = True


async def ask(gate: asyncio.Semaphore, text: str) -> int:
    async with gate:
        reply = await litellm.acompletion(
            model="openai/small",
            messages=[{"role": "user", "content": text}],
            api_base=URL,
            api_key="bench",
            stream=HOW == "stream",
            num_retries=6,
        )
        if HOW == "unary":
            return len(reply.choices[0].message.content)
        size = 0
        async for part in reply:
            size += len(part.choices[0].delta.content or "")
        return size


async def main() -> None:
    texts = Path(TEXTS).read_text().splitlines()
    gate = asyncio.Semaphore(int(IN_FLIGHT))
    sizes = await asyncio.gather(*(ask(gate, text) for text in texts))
    assert len(sizes) == len(texts)
    assert all(sizes)


asyncio.run(main())
