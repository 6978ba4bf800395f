"""Actions and functions of the Web API."""
