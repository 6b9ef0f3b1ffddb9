"""A real server on a free port of the loopback, which the tests of this folder attack without a login."""

from serving import default_server, server, settings, shared_server

__all__ = ["default_server", "server", "settings", "shared_server"]
