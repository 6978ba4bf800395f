"""Writes: bodies are checked as documented, then stored; deletes cascade; links are made and undone."""
