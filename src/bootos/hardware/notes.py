"""Collects what could not be read, as plain sentences for `Inventory.notes`.

Twenty disks that miss the same tool are one sentence: subjects with the same reason are put together.
"""

from threading import Lock


class Notes:
    """Thread-safe; `add` while reading, `build` once at the end."""

    def __init__(self) -> None:
        self._subjects: dict[str, list[str]] = {}
        self._first: list[str] = []
        self._sentences: list[str] = []
        self._lock = Lock()

    def add(self, subject: str, reason: str) -> None:
        """`subject` (a noun phrase) could not be read, because of `reason`."""
        with self._lock:
            subjects = self._subjects.setdefault(reason.strip().rstrip("."), [])
            if subject not in subjects:
                subjects.append(subject)

    def say(self, sentence: str, *, first: bool = False) -> None:
        """A whole sentence, as it is. `first`: before all others, as a console shows only a few."""
        with self._lock:
            sentences = self._first if first else self._sentences
            if sentence not in sentences:
                sentences.append(sentence)

    def build(self) -> list[str]:
        """All sentences."""
        with self._lock:
            found = [
                f"{', '.join(subjects)}: not read: {reason}." for reason, subjects in self._subjects.items()
            ]
            return self._first + found + self._sentences
