"""A real server on a free port of the loopback, in a thread."""

from serving import agent, server, settings, shared_server

__all__ = ["agent", "server", "settings", "shared_server"]
