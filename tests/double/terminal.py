"""A terminal as far as the status page needs one: what a VT100 shows after a stream of bytes (ECMA-48).

Knows printing with deferred wrap, CR, LF, CUP, ED, EL, DECSTBM; anything else is a mistake in the page and raises.
"""

import re

SEQUENCE = re.compile(r"\x1b\[([?]?)([0-9;]*)([A-Za-z])")


class Terminal:
    """`rows` x `columns`; `feed` it, look at `screen`."""

    def __init__(self, rows: int = 24, columns: int = 80) -> None:
        self.rows, self.columns = rows, columns
        self._cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self._top, self._bottom = 0, rows - 1
        self._rest = b""

    @property
    def screen(self) -> list[str]:
        return ["".join(row).rstrip() for row in self._cells]

    def feed(self, data: bytes) -> None:
        text = data.decode()
        place = 0
        while place < len(text):
            if text[place] == "\x1b":
                match = SEQUENCE.match(text, place)
                assert match, f"unknown sequence {text[place : place + 10]!r}"
                self._obey(match[1] + match[3], [int(n) if n else 0 for n in match[2].split(";")])
                place = match.end()
                continue
            self._put(text[place])
            place += 1

    def _put(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._line_feed()
        else:
            assert character.isprintable(), repr(character)
            if self.column == self.columns:
                self.column = 0
                self._line_feed()
            self._cells[self.row][self.column] = character
            self.column += 1

    def _line_feed(self) -> None:
        if self.row == self._bottom:
            del self._cells[self._top]
            self._cells.insert(self._bottom, [" "] * self.columns)
        elif self.row < self.rows - 1:
            self.row += 1

    def _obey(self, command: str, numbers: list[int]) -> None:
        if command == "H":  # cursor position; beyond the screen: its edge
            row, column = [*numbers, 0, 0][:2]
            self.row = min(max(row, 1), self.rows) - 1
            self.column = min(max(column, 1), self.columns) - 1
        elif command == "r":  # scroll region, then home
            top, bottom = [*numbers, 0][:2]
            self._top, self._bottom = max(top, 1) - 1, (bottom or self.rows) - 1
            assert 0 <= self._top < self._bottom < self.rows
            self.row = self.column = 0
        elif command == "K":
            assert numbers == [0]
            self._cells[self.row][self.column :] = [" "] * (self.columns - self.column)
        elif command == "m":
            assert numbers == [0], "the page has no colours"
        else:
            raise AssertionError(f"unknown command {command}")
