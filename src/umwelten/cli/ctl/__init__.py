"""`umwelten ctl`: watching and changing the runs of this machine."""
