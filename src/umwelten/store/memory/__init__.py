"""Memory stores: facts by scope, with where each came from. `OUTPUT_DIR/.memory/NAME.db` is one."""
