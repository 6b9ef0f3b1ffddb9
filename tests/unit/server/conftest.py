"""A real server on a free port of the loopback, in a thread; and a PostgreSQL for those that ask for it."""

from postgres import postgres
from serving import agent, default_server, server, settings, shared_server

__all__ = ["agent", "default_server", "postgres", "server", "settings", "shared_server"]
