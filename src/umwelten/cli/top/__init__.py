"""`umwelten top`: a full screen over the runs of this machine, a process of its own that asks them."""
