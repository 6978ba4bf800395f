"""The MCP server: transports, the path of a tool call, policy, Dataverse client, settings, commands."""

__version__ = "0.1.0"
