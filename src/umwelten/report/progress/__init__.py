"""How far a run is, as plain values: for the command line, the library, and who asks a run from outside."""
