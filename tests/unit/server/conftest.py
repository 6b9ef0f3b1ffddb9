"""A real server on a free port of the loopback, in a thread."""

from serving import agent, default_server, server, settings, shared_server

__all__ = ["agent", "default_server", "server", "settings", "shared_server"]
