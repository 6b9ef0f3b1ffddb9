"""A machine whose vendor tools are the lab's stand-ins, in this process: a `Runner` over a `Silicon`.

What the guest's script does over HTTP is done here by a call; nothing else runs.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Unpack

from bootos.drivers.contract import Machine
from bootos.lab.vendor_tools.catalog import TOOLS
from bootos.lab.vendor_tools.script import PAYLOAD, read_script
from bootos.lab.vendor_tools.silicon import Silicon, SiliconSpec, Tool
from bootos.lab.vendor_tools.tool import HangError, run_program
from bootos.process import Command, Completed, Options, Runner


class SiliconMachine:
    """`machine` is what drivers get, `silicon` the hardware behind it, `calls` all commands that were run.

    `rest` runs the programs that no stand-in is for; without it they are not installed. `absent` are stand-ins that
    are not installed on this machine. Files that a command names are read from `root`.
    """

    def __init__(
        self,
        root: Path,
        spec: SiliconSpec | None = None,
        *,
        tools: Sequence[Tool] = TOOLS,
        absent: Sequence[str] = (),
        rest: Runner | None = None,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.root = root
        self.silicon = Silicon(
            spec or SiliconSpec(), root / "silicon.json", tools=tools, **({"now": now} if now else {})
        )
        self.absent = frozenset(absent)
        self.rest = rest
        self.calls: list[list[str]] = []
        self.machine = Machine(run=self.run, root=root)

    def run(self, argv: Sequence[Any], **options: Unpack[Options]) -> Completed:
        command = Command(argv, **options)
        words = list(command.words)
        self.calls.append(words)
        program = Path(words[0]).name
        files = {} if command.input is None else {"/dev/stdin": command.input.encode()}
        package = self._find_file(words[0])
        if package is not None and (found := read_script(package)) is not None:
            program, files[PAYLOAD] = found[0], found[1].encode()
        if program in self.absent or self.silicon.find_tool(program) is None:
            if self.rest is None or program in self.absent:
                raise command.build_missing()
            return self.rest(argv, **options)
        for word in words[1:]:
            for name in (word, word.partition("=")[2]):
                if name and (content := self._find_file(name)) is not None:
                    files[name] = content
        try:
            output = run_program(self.silicon, program, words[1:], files)
        except HangError as cause:
            raise command.build_late("was ended") from cause
        for name, text in output.files.items():
            place = Path(name) if Path(name).is_relative_to(self.root) else self.root / name.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        if command.on_line is not None:
            for line in output.stdout.splitlines():
                command.on_line(line)
        return command.complete(output.code, output.stdout, output.stderr)

    def _find_file(self, name: str) -> bytes | None:
        for place in (Path(name), self.root / name.lstrip("/")):
            if place.is_file():
                return place.read_bytes()
        return None
