"""Tools of MCP servers: the only code that knows the package `mcp`, which it imports on first use."""
