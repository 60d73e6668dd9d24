"""The HTTP routes, version 1."""
