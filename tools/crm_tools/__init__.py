"""What the tools are: the API description, table facts, tool specs and their handlers.

Nothing here knows HTTP, MCP or policy. Handlers describe what they want as operations
(:mod:`crm_tools.operations`) and hand them to a port that the server implements.
"""
