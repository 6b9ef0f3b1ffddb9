"""A machine whose vendor tools are the lab's stand-ins, in this process: a `Runner` over a `Silicon`.

What the guest's script does over HTTP is done here by a call; nothing else runs.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bootos.drivers.contract import Machine
from bootos.lab.vendor_tools.catalog import TOOLS
from bootos.lab.vendor_tools.silicon import Silicon, SiliconSpec
from bootos.lab.vendor_tools.tool import HangError, Tool, run_program
from bootos.process import Completed, Runner, ToolError


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

    def run(
        self,
        argv: Sequence[Any],
        *,
        timeout_s: float = 60.0,
        input: str | None = None,
        check: bool = True,
        secrets: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Completed:
        words = [str(word) for word in argv]
        self.calls.append(words)
        program = Path(words[0]).name
        if program in self.absent or self.silicon.find_tool(program) is None:
            if self.rest is None or program in self.absent:
                raise ToolError(f"{words[0]} is not installed")
            return self.rest(
                argv, timeout_s=timeout_s, input=input, check=check, secrets=secrets, env=env, cwd=cwd,
                on_line=on_line,
            )  # fmt: skip
        files = {} if input is None else {"/dev/stdin": input.encode()}
        for word in words[1:]:
            path = Path(word.partition("=")[2] or word)
            for place in (path, self.root / str(path).lstrip("/")):
                if place.is_file():
                    files[str(path)] = place.read_bytes()
                    break
        try:
            output = run_program(self.silicon, program, words[1:], files)
        except HangError as cause:
            raise ToolError(f"{words[0]} took longer than {timeout_s:g} s and was ended") from cause
        for name, text in output.files.items():
            place = Path(name) if Path(name).is_relative_to(self.root) else self.root / name.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        done = Completed(
            argv=tuple(words),
            returncode=output.code,
            stdout=output.stdout,
            stderr=output.stderr,
            duration_s=0.0,
        )
        for line in output.stdout.splitlines() if on_line is not None else []:
            on_line(line)  # type: ignore[misc]
        if check and output.code:
            said = (output.stderr or output.stdout).strip()
            raise ToolError(f"{' '.join(words)} failed with exit code {output.code}: {said}", completed=done)
        return done
