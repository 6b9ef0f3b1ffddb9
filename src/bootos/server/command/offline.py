"""`bootos template check FILE --inventory SAVED`: validates and plans without a server and without the machine."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from bootos.engine.byhand import read_given, read_secrets, read_template_file
from bootos.engine.capture.replayed import load_state
from bootos.engine.offline import build_offline_run
from bootos.engine.plan import JobPlan, plan_job, view_action
from bootos.engine.planhash import hash_plan
from bootos.engine.plantext import format_notes, format_plan
from bootos.errors import ProblemsError
from bootos.printable import show_line
from bootos.screen import print_json, write_out
from bootos.template.check import find_secrets, read_template
from bootos.wire.saved import SavedState

STAND_IN = "not-given-offline"  # stands for a secret; short enough for IPMI

template_app = typer.Typer(
    no_args_is_help=True, epilog="Example: bootos template check db-node.yaml --inventory saved.json"
)


@template_app.callback()
def group() -> None:
    """Configuration templates, without a server."""


@template_app.command("check")
def check_template(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .yaml, .toml or .json file.")],
    inventory: Annotated[
        Path,
        typer.Option(
            "--inventory",
            metavar="SAVED",
            help="What `bootos machine state` or `bootos-agent state` wrote, or a capture.",
        ),
    ],
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A value for a placeholder; may be repeated."),
    ] = None,
    secrets: Annotated[
        Path | None, typer.Option(metavar="FILE", help='JSON, {"name": "value"}: the values of the secrets.')
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a template and plan it on a machine's saved state, offline; its bases are taken from the files beside it.

    Example: bootos template check db-node.yaml --inventory saved.json
    """
    saved = load_state(inventory)
    show_offline_plan(file, saved, given or [], secrets, as_json=as_json)


def show_offline_plan(
    file: Path, saved: SavedState, given: list[str], secrets: Path | None, *, as_json: bool
) -> None:
    """Plan the template of a file on a saved state, and print the plan. Raises ProblemsError, typer.Exit."""
    document = read_template_file(file, saved.inventory, read_given(given))
    values = read_secrets(secrets)
    template, _ = read_template(document)
    left = sorted(find_secrets(template) - values.keys()) if template is not None else []
    plan = plan_job(build_offline_run(document, saved, {**dict.fromkeys(left, STAND_IN), **values}))
    if as_json:
        print_json(build_json(plan))
        if plan.problems:
            raise typer.Exit(1)
        return
    if plan.problems:
        raise ProblemsError(str(file), plan.problems)
    told = [f"the secret {name!r} is not given (--secrets FILE): planned with a stand-in" for name in left]
    for line in [*told, *format_notes(plan), *format_plan(plan)]:
        write_out(f"{show_line(line)}\n")


def build_json(plan: JobPlan) -> dict[str, Any]:
    """A plan as plain values, as reports have it."""
    views = [view_action(action) for action in plan.actions]
    return {
        "problems": [msgspec.to_builtins(problem) for problem in plan.problems],
        "actions": msgspec.to_builtins(views),
        "notes": format_notes(plan),
        "plan_hash": hash_plan(views),
    }
