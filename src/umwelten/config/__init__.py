"""Settings with the source of each value, and the providers' addresses and keys.

Precedence: defaults < `umwelten.toml` (the user's, then the nearest from the working directory upward) <
a profile of these files that was asked for < `.env` (the nearest from the working directory upward) <
environment < flags.
"""
