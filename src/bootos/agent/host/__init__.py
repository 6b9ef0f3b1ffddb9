"""The machine that the agent runs on: what its kernel was told, what was learned of it, how it is rebooted."""
