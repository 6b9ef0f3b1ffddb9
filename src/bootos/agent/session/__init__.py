"""The agent's talk with a server of protocol v2: calls, reports, the log that must not be lost."""
