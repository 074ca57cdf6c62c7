"""The control channel: watching and changing a run from other processes of the same user, while it goes on.

Nothing here is imported before a run has begun; `aiohttp.web` in the channel's own thread.
"""
