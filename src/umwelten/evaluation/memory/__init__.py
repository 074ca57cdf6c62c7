"""Learning: what models find worth remembering in inputs and answers, as facts of a memory store."""
