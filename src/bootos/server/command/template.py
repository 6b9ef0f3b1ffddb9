"""`bootos template`, `bootos pxe` and `bootos secret`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bootos.errors import BootosError
from bootos.screen import write_out
from bootos.server.command.client import Client
from bootos.server.command.option import NameArgument, Output, operator_command, read_file

template_app = typer.Typer(no_args_is_help=True, epilog="Example: bootos template add db-node.yaml")
pxe_app = typer.Typer(no_args_is_help=True, epilog="Example: bootos pxe add debian debian.pxe")
secret_app = typer.Typer(no_args_is_help=True, epilog="Example: bootos secret set oob-ops")

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A .yaml, .toml or .json file.")]


def read_template_file(file: Path) -> dict[str, str]:
    """The body of the API's template calls: the file's text, its suffix as the format. Raises BootosError."""
    suffix = file.suffix.lstrip(".").lower()
    if suffix not in ("yaml", "yml", "toml", "json"):
        raise BootosError(f"{file} has an unknown format", hint="use .yaml, .toml or .json")
    return {"text": read_file(file), "format": suffix}


@operator_command(template_app, "list")
def list_templates(client: Client, out: Output) -> None:
    """List the templates.

    Example: bootos template list
    """
    columns = {"name": "NAME", "version": "VERSION", "updated_at": "CHANGED", "description": "DESCRIPTION"}
    out.table(client.call("GET", "templates"), columns, "no template is stored yet")


@operator_command(template_app, "show")
def show_template(
    client: Client,
    out: Output,
    name: NameArgument,
    resolved: Annotated[bool, typer.Option("--resolved", help="With everything that it inherits.")] = False,
) -> None:
    """Print a template as it was written, or with everything that it takes over from its bases.

    Example: bootos template show db-node --resolved
    """
    if resolved:
        value = client.call("GET", "templates", name, "resolved")
        if out.as_json:
            out.json(value)
            return
        for base in value["bases"]:
            out.line(f"# from {base['name']}, version {base['version']}")
        for problem in value["problems"]:
            out.line(f"# {problem['path']}: {problem['message']}", "red")
        write_out(format_yaml(value["resolved"]))
        return
    value = client.call("GET", "templates", name)
    if out.as_json:
        out.json(value)
    else:
        write_out(value["text"])


def format_yaml(document: Any) -> str:
    """A document as people write it."""
    import yaml

    return str(
        yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)
    )


@operator_command(template_app, "check")
def check_template(client: Client, out: Output, file: FileArgument) -> None:
    """Check a template file without storing it; says everything that is wrong, each with its place.

    With --inventory SAVED (what `bootos machine state` wrote) it is also planned, without a server: see
    `bootos template check --inventory SAVED --help`.

    Example: bootos template check db-node.yaml
    """
    answer = client.call("POST", "templates", "check", body=read_template_file(file))
    if out.as_json:
        out.json(answer)
    else:
        for problem in [*answer["problems"], *answer.get("notes", [])]:
            place = f"{problem['path']}: " if problem["path"] else ""
            hint = f" ({problem['hint']})" if problem["hint"] else ""
            out.line(f"{file}: {place}{problem['message']}{hint}")
        for name in answer["missing_secrets"]:
            out.line(f"{file}: the secret {name!r} is not stored (bootos secret set {name})")
        if answer["ok"]:
            out.line(f"{file}: the template {answer['name']!r} is usable")
    if not answer["ok"]:
        raise typer.Exit(1)


@operator_command(template_app, "add")
def add_template(client: Client, out: Output, file: FileArgument) -> None:
    """Store a template under the name it gives itself; a changed one becomes a new version.

    Example: bootos template add db-node.yaml
    """
    body = read_template_file(file)
    name = client.call("POST", "templates", "check", body=body)["name"]
    answer = client.call("PUT", "templates", name or file.stem, body=body)
    out.say(f"template {answer['name']}, version {answer['version']}", answer)


@operator_command(template_app, "remove")
def remove_template(client: Client, out: Output, name: NameArgument) -> None:
    """Remove a template; jobs keep their copies.

    Example: bootos template remove db-node
    """
    client.call("DELETE", "templates", name)
    out.say(f"template {name} was removed")


@operator_command(pxe_app, "list")
def list_pxe(client: Client, out: Output) -> None:
    """List the PXE templates.

    Example: bootos pxe list
    """
    columns = {"name": "NAME", "version": "VERSION", "reports": "REPORTS", "updated_at": "CHANGED"}
    out.table(client.call("GET", "pxe-templates"), columns, "no PXE template is stored yet")


@operator_command(pxe_app, "show")
def show_pxe(client: Client, out: Output, name: NameArgument) -> None:
    """Print a PXE template.

    Example: bootos pxe show debian
    """
    value = client.call("GET", "pxe-templates", name)
    if out.as_json:
        out.json(value)
    else:
        write_out(value["content"] + "\n")


@operator_command(pxe_app, "add")
def add_pxe(
    client: Client,
    out: Output,
    name: NameArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The pxelinux configuration.")],
    answer: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The installer's answer file (kickstart, preseed).")
    ] = None,
    reports: Annotated[
        bool,
        typer.Option(
            "--reports/--no-reports",
            help="Whether the system it boots reports its progress. Without, the job is done when the agent is.",
        ),
    ] = True,
) -> None:
    """Store what a machine's per-MAC PXE file will hold. {sn} {mac} {server} {hostname} {address} are filled in.

    Example: bootos pxe add debian debian.pxe --answer debian.preseed
    """
    body = {
        "content": read_file(file),
        "answer": read_file(answer) if answer is not None else "",
        "reports": reports,
    }
    stored = client.call("PUT", "pxe-templates", name, body=body)
    out.say(f"PXE template {stored['name']}, version {stored['version']}", stored)


@operator_command(pxe_app, "remove")
def remove_pxe(client: Client, out: Output, name: NameArgument) -> None:
    """Remove a PXE template; jobs keep their copies.

    Example: bootos pxe remove debian
    """
    client.call("DELETE", "pxe-templates", name)
    out.say(f"PXE template {name} was removed")


@operator_command(secret_app, "list")
def list_secrets(client: Client, out: Output) -> None:
    """List the names of the secrets; their values are never shown.

    Example: bootos secret list
    """
    columns = {"name": "NAME", "updated_at": "CHANGED"}
    out.table(client.call("GET", "secrets"), columns, "no secret is stored yet")


@operator_command(secret_app, "set")
def set_secret(
    client: Client,
    out: Output,
    name: NameArgument,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Read the value from a file; - is stdin.")
    ] = None,
) -> None:
    """Store a secret; its value is asked for, or read from a file. A last line end is not part of it.

    Example: bootos secret set oob-ops --file password.txt
    """
    value = read_file(file) if file is not None else typer.prompt("Value", hide_input=True)
    client.call("PUT", "secrets", name, body={"value": value.removesuffix("\n").removesuffix("\r")})
    out.say(f"secret {name} was stored")


@operator_command(secret_app, "remove")
def remove_secret(client: Client, out: Output, name: NameArgument) -> None:
    """Remove a secret.

    Example: bootos secret remove oob-ops
    """
    client.call("DELETE", "secrets", name)
    out.say(f"secret {name} was removed")
