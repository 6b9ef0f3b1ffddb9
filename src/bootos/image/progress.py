"""What a build shows while it works: a bar for the whole, one for the stage, a line for each stage that is done.

Fed with the events of `cache`; used by `bootos image build`. Not on a terminal it prints plain lines.
"""

from types import TracebackType

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from bootos.image.cache import Event
from bootos.screen import Screen

STAGES = (
    "snapshot",
    "packages",
    "base",
    "kernel",
    "rpmdb",
    "root",
    "modules",
    "boot",
    "layer",
    "estimate",
    "image",
)


class BuildScreen:
    """A context: `show` is the build's report function."""

    def __init__(self, console: Screen) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description:9}", style="bold", markup=False),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._whole = self._progress.add_task("image", total=len(STAGES), detail="")
        self._stage = self._progress.add_task("", total=None, detail="", visible=False)
        self._ended: set[str] = set()

    def __enter__(self) -> "BuildScreen":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, event: Event) -> None:
        """Show one event."""
        if event.state in ("started", "progress"):
            self._show_work(event)
            return
        self._ended.add(event.stage)
        self._progress.update(self._whole, completed=len(self._ended & set(STAGES)))
        self._progress.update(self._stage, visible=False)
        if event.state == "cached":
            self._console.print(f"  {event.stage:8} from the cache")
        elif event.seconds:
            line = f"  {event.stage:8} {event.seconds:.1f} s, {event.cpu_seconds:.1f} CPU s"
            self._console.print(line)

    def _show_work(self, event: Event) -> None:
        total = None if event.share is None else 1.0
        self._progress.update(
            self._stage,
            description=event.stage,
            total=total,
            completed=event.share or 0.0,
            detail=event.detail[:60],
            visible=True,
            refresh=True,
        )
        if not self._console.is_terminal:
            line = f"{event.stage}: {event.detail or 'started'}"
            self._console.print(line, soft_wrap=True)
