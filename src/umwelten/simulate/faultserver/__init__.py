"""A provider on localhost that misbehaves on purpose, to rehearse with.

It speaks the wire formats of OpenAI (with OpenRouter below `/api/v1`), Gemini, Anthropic and Ollama on
one port of 127.0.0.1, unary and streaming, and does what a `Profile` says: latencies, faults, rate
limits, outages. Keys are accepted whatever they are. Start it and point the tool at it:

    $ python -m umwelten.simulate.faultserver --port 8484 --profile rehearsal.toml
    {"port":8484}

    GOOGLE_BASE_URL=http://127.0.0.1:8484            OPENAI_BASE_URL=http://127.0.0.1:8484/v1
    ANTHROPIC_BASE_URL=http://127.0.0.1:8484         OPENROUTER_BASE_URL=http://127.0.0.1:8484/api/v1
    OLLAMA_HOST=http://127.0.0.1:8484                LMSTUDIO_BASE_URL=http://127.0.0.1:8484/v1

A profile (every field is described in `profile`, those of limits and outages in `simulate.profile`):

    models = ["gpt-5.4", "gemini-flash"]

    [default]
    latency_s = { median_s = 0.8, sigma = 0.4, seed = 1 }

    [[rules]]                          # every 20th request of this model fails
    model = "gpt-*"
    every = 20
    behaviour = { fault = 500 }

    [[limiters]]                       # and there is a limit that tells when to come back
    kind = "window"
    wire = "openai"
    n = 60
    window_s = 60.0

    [[outages]]
    from_s = 30
    to_s = 40
    fault = "reset_before"

While it runs: `GET /_ledger` tells all that came in (`?records=0`: sums alone), `POST /_reset` forgets
it, `POST /_profile` with a profile in JSON changes the behaviour. In a program:
`async with FaultServer(profile) as server: server.url, server.ledger`.

Requests for a shape (`response_format`, `responseSchema`, `format`, a forced tool, or our words for it) are
answered with a record made for it, a spoiled one, or none: `behaviour = { shaped = "fenced" }`. Files may
be uploaded to the Gemini wire.

Requests that offer tools have them called (`tools.spec` describes every field):

    [default.tool_turns]
    turns = 3                          # three turns with calls, then an answer that quotes the results
    calls = [2, 1]                     # two calls in the first turn, one in the second, and so on
    tools = ["rate*", "now"]           # in turn; without it the first one offered
    arguments = [{ currency = "EUR", file = "{marks}" }, {}]    # in turn; without it made up from the schema
    thinking = true                    # signed thoughts, which must come back unchanged
    quirks = ["zero_index"]            # what real models and gateways get wrong, by name

What comes back is judged as the provider would: 400 in its own words for results that are missing, mixed up
or changed. The ledger has the verdicts and the conversations: how often each step was asked for and paid.
`no_tools` and `responses_only` name models that refuse tools.
"""

from __future__ import annotations

from umwelten.simulate.faultserver.asks import digest, fingerprint
from umwelten.simulate.faultserver.ledger import Conversation, Ledger, Record, Sums
from umwelten.simulate.faultserver.message_parts import content_mark
from umwelten.simulate.faultserver.profile import (
    Behaviour,
    Lognormal,
    Profile,
    Rule,
    load_profile,
    parse_profile,
)
from umwelten.simulate.faultserver.server import FaultServer
from umwelten.simulate.faultserver.tools.spec import ToolTurns
from umwelten.simulate.profile import (
    Bucket,
    Concurrency,
    Gcra,
    Outage,
    Sliding,
    Slots,
    TokenBucket,
    Window,
)

__all__ = [
    "Behaviour",
    "Bucket",
    "Concurrency",
    "Conversation",
    "FaultServer",
    "Gcra",
    "Ledger",
    "Lognormal",
    "Outage",
    "Profile",
    "Record",
    "Rule",
    "Sliding",
    "Slots",
    "Sums",
    "TokenBucket",
    "ToolTurns",
    "Window",
    "content_mark",
    "digest",
    "fingerprint",
    "load_profile",
    "parse_profile",
]
