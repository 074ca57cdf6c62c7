"""Runs of one user on one machine that meet on an account share its rate limit.

Theory of operation. Limits are learnt from what is refused, and that takes one observer who sees all calls.
So of the runs that use an account, one owns its lane: the first that listens on the account's socket. The
others are guests. They ask the owner for starts and report how calls ended; the owner's lane decides and
learns as if all calls were its own run's. What is sent, stored and paid stays with each run.

    folder        the private folder of sockets, and who owns one (`folder.py`)
    messages      what is said, and the frames that carry it (`messages.py`, `channel.py`)
    shared lane   a lane that asks its desk (`shared_lane.py`)
    desks         of the owner, which has guests; of a guest, which holds grants (`owner.py`, `guest.py`)
    share         finds, changes and leaves these roles (`lane_share.py`); all lanes of a run (`sharing.py`)

A socket's file is the truth about who owns a lane: whoever takes over renames a new one over it. An owner
looks at it before it acts after a pause, and every half second.
"""
