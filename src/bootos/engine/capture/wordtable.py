"""Many words looked for in a text at once, in a time that grows with the text and not with their number. Pure."""

from collections.abc import Callable, Iterable


class WordTable:
    """Words by their first letters; all are at least `shortest` letters long."""

    def __init__(self, words: Iterable[str], shortest: int) -> None:
        self._shortest = shortest
        self._words = {word for word in words if len(word) >= shortest}
        lengths: dict[str, set[int]] = {}
        for word in self._words:
            lengths.setdefault(word[:shortest], set()).add(len(word))
        self._lengths = {begin: sorted(found, reverse=True) for begin, found in lengths.items()}

    def find(
        self, text: str, is_wanted: Callable[[int, int], bool] = lambda start, end: True
    ) -> list[tuple[int, int]]:
        """(start, end) of the words in the text, from left to right, of those at one place the longest that
        `is_wanted`; none lies in another."""
        size, lengths = self._shortest, self._lengths
        found: list[tuple[int, int]] = []
        done = 0
        if not lengths:
            return found
        for start in [
            place for place in range(len(text) - size + 1) if text[place : place + size] in lengths
        ]:
            if start < done:
                continue
            for length in lengths[text[start : start + size]]:
                end = start + length
                if end <= len(text) and text[start:end] in self._words and is_wanted(start, end):
                    found.append((start, end))
                    done = end
                    break
        return found

    def replace(
        self,
        text: str,
        write: Callable[[int, int], str],
        shown: str | None = None,
        is_wanted: Callable[[int, int], bool] = lambda start, end: True,
    ) -> str:
        """The text with what `write` says in the place of the words; `shown` is the text as it is written, where `text`
        is the one to look in (of the same length)."""
        shown = text if shown is None else shown
        parts: list[str] = []
        done = 0
        for start, end in self.find(text, is_wanted):
            parts += (shown[done:start], write(start, end))
            done = end
        return "".join((*parts, shown[done:]))
