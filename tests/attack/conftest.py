"""A real server on a free port of the loopback, which the tests of this folder attack without a login."""

from serving import confirming_server, default_server, server, settings, shared_server

__all__ = ["confirming_server", "default_server", "server", "settings", "shared_server"]
