"""Secrets on their way from `plan` to `apply`."""


class Hidden:
    """A password on its way to `apply`: it does not show in logs or tracebacks."""

    def __init__(self, password: str) -> None:
        self.password = password

    def __repr__(self) -> str:
        return "Hidden(********)"
