"""`bootos <noun> <verb>`: the operator's command. Each noun imports its part only when it is used.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import importlib
import inspect
import sys
from collections.abc import Sequence

import typer

from bootos import __version__
from bootos.errors import BootosError, describe_os_error, read_chain

# Each noun, with (module, attribute, one line of help, an example).
NOUNS: dict[str, tuple[str, str, str, str]] = {
    "image": (
        "bootos.image.command",
        "app",
        "build the in-memory operating system, and hand it to servers",
        "bootos image build",
    ),
    "driver": (
        "bootos.image.driver.command",
        "app",
        "kernel drivers of an image, without building it anew",
        "bootos driver list build/image --class net",
    ),
    "serve": (
        "bootos.server.command.serve",
        "serve_app",
        "run the server",
        "bootos serve --listen 10.0.0.1:8083",
    ),
    "machine": (
        "bootos.server.command.machine",
        "machine_app",
        "the machines that registered",
        "bootos machine list",
    ),
    "enrol": (
        "bootos.server.command.enrol",
        "enrol_app",
        "rules that confirm machines as they register",
        "bootos enrol rule add --network 10.0.0.0/24 --vendor Dell --for 2h",
    ),
    "template": (
        "bootos.server.command.template",
        "template_app",
        "configuration templates",
        "bootos template add db.yaml",
    ),
    "job": (
        "bootos.server.command.job",
        "job_app",
        "runs of a template on a machine",
        "bootos job create --machine SN001 --template db --follow",
    ),
    "pxe": (
        "bootos.server.command.template",
        "pxe_app",
        "PXE templates for the boot after the job",
        "bootos pxe list",
    ),
    "pool": (
        "bootos.server.command.pool",
        "pool_app",
        "addresses that machines are given",
        "bootos pool add oob 10.0.8.20-10.0.8.250/24",
    ),
    "secret": (
        "bootos.server.command.template",
        "secret_app",
        "values that templates refer to",
        "bootos secret set oob-ops",
    ),
    "support": (
        "bootos.server.command.support",
        "support_app",
        "the list of supported hardware models",
        "bootos support add --vendor 'Dell*' --product 'PowerEdge R6*'",
    ),
    "health": (
        "bootos.server.command.health",
        "health_app",
        "what the server refused or cut",
        "bootos health",
    ),
    "retention": (
        "bootos.server.command.retention",
        "retention_app",
        "remove logs, jobs and inventories that are old",
        "bootos retention --dry-run",
    ),
    "capture": (
        "bootos.server.command.capture",
        "capture_app",
        "what was read of a machine, shown anywhere",
        "bootos capture show --tool storcli c0.json vall.json",
    ),
    "ca": (
        "bootos.server.command.ca",
        "ca_app",
        "whose word is taken for the server",
        "bootos ca show",
    ),
    "login": (
        "bootos.server.command.login",
        "login_app",
        "operate a server from another host",
        "bootos login https://10.0.0.1:8443",
    ),
    "lab": ("bootos.lab.command", "app", "virtual bare-metal machines", "bootos lab run --disk virtio:2G"),
}

# Verbs of a noun that another part has, as (module, attribute): the image's part knows no server.
MORE_VERBS = {"image": ("bootos.server.command.image", "image_app")}


def build_app(words: Sequence[str]) -> typer.Typer:
    """The command line, with only the noun in `words` really loaded; the others are there by name and help."""
    app = typer.Typer(
        no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False
    )
    app.callback(invoke_without_command=True)(show_version)
    wanted = next((word for word in words if not word.startswith("-")), None)
    is_offline = any(word.partition("=")[0] == "--inventory" for word in words)
    for noun, (module, attribute, summary, example) in NOUNS.items():
        if noun == wanted:
            if noun == "template" and is_offline:  # this verb plans with the engine, and asks no server
                module = "bootos.server.command.offline"
            part = getattr(importlib.import_module(module), attribute)
            if noun in MORE_VERBS:
                module, attribute = MORE_VERBS[noun]
                part = join_verbs(part, getattr(importlib.import_module(module), attribute))
            join_help(part)
            app.add_typer(part, name=noun, help=f"{summary}\n\nExample: {example}")
        else:
            app.command(noun, help=summary)(_name_only)
    return app


def join_verbs(*parts: typer.Typer) -> typer.Typer:
    """One noun with the verbs of several parts."""
    noun = typer.Typer(no_args_is_help=True)
    for part in parts:
        noun.registered_commands += part.registered_commands
        noun.registered_groups += part.registered_groups
    return noun


def join_help(part: typer.Typer) -> None:
    """The help of a verb is its docstring, wrapped for the source: each paragraph becomes one line, which is wrapped
    for the terminal then."""
    for verb in part.registered_commands:
        text = verb.help or inspect.getdoc(verb.callback) or ""
        verb.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    for group in part.registered_groups:
        if group.typer_instance is not None:
            join_help(group.typer_instance)


def _name_only() -> None:
    """Never run: a noun that is used is loaded from its own module."""


def show_version(
    version: bool = typer.Option(False, "--version", help="Print the version and end."),
) -> None:
    """BootOS: an operating system in memory that configures bare servers."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """The command's entry; prints an error's chain once."""
    try:
        build_app(sys.argv[1:])()
    except BootosError as error:
        for sentence in read_chain(error):
            _complain(sentence)
        sys.exit(1)
    except OSError as error:  # the error names its file, so nothing is added
        _complain(describe_os_error(error))
        sys.exit(1)


def _complain(sentence: str) -> None:
    """What a tool printed may be part of it."""
    from bootos.screen import write_out  # imported here: rich is slow to load, and --help does not need it

    write_out(f"bootos: {sentence}\n", sys.stderr)


if __name__ == "__main__":
    main()
