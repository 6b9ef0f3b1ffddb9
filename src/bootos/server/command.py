"""The operator's commands, mounted by `bootos.cli`. All but `serve` are clients of the operator API.

Exit codes: 0 done, 1 failed, 2 wrong usage. `--json` prints what the API answered.
"""

import functools
import getpass
import inspect
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bootos.errors import BootosError
from bootos.server.client import Client, read_token

ServerOption = Annotated[
    str, typer.Option("--server", metavar="URL", envvar="BOOTOS_SERVER", help="The server's address.")
]
DataOption = Annotated[
    Path, typer.Option("--data", metavar="DIR", envvar="BOOTOS_DATA", help="The server's data directory.")
]
TokenOption = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="A file with the operator token.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DEFAULT_DATA = Path("bootos-data")
COLORS = {
    "done": "green",
    "planned": "green",
    "failed": "red",
    "refused": "red",
    "lost": "red",
    "cancelled": "yellow",
    "running": "cyan",
    "working": "cyan",
    "installing": "cyan",
}

serve_app = typer.Typer()
machine_app = typer.Typer(no_args_is_help=True)
template_app = typer.Typer(no_args_is_help=True)
job_app = typer.Typer(no_args_is_help=True)
secret_app = typer.Typer(no_args_is_help=True)
support_app = typer.Typer(no_args_is_help=True)
pxe_app = typer.Typer(no_args_is_help=True)


class Output:
    """Where answers go: a table and sentences for people, or JSON."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False, width=None if sys.stdout.isatty() else 240)

    def json(self, value: Any) -> None:
        print(json.dumps(value, indent=2, ensure_ascii=False))

    def say(self, text: str, value: Any = None) -> None:
        """A sentence, or with `--json` the value."""
        if self.as_json:
            self.json(value if value is not None else {"ok": True})
        else:
            self.console.print(Text(text))

    def table(self, rows: list[dict[str, Any]], columns: dict[str, str], empty: str) -> None:
        """Rows as a table: key -> column title. The texts are shown as they are, never as markup."""
        if self.as_json:
            self.json(rows)
            return
        if not rows:
            self.console.print(empty)
            return
        table = Table(box=None, pad_edge=False)
        for title in columns.values():
            table.add_column(title, overflow="fold")
        for row in rows:
            table.add_row(*(cell(key, row.get(key)) for key in columns))
        self.console.print(table)

    def pairs(self, value: dict[str, Any], keys: dict[str, str]) -> None:
        grid = Table(box=None, show_header=False, pad_edge=False)
        for key, title in keys.items():
            if value.get(key) not in (None, "", [], {}):
                grid.add_row(Text(title, style="dim"), cell(key, value[key]))
        self.console.print(grid)


def cell(key: str, value: Any) -> Text:
    """A value as a person reads it."""
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list):
        return Text(", ".join(str(item) for item in value))
    if isinstance(value, dict):
        return Text(", ".join(f"{name}={item}" for name, item in value.items()))
    text = str(value)
    if key.endswith("_at"):
        return Text(text[:19].replace("T", " ") + "Z" if len(text) > 19 else text)
    return Text(text, style=COLORS.get(text, "") if key == "state" else "")


def operator_command(app: typer.Typer, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command that gets `client` and `out`, and has the options every such command has."""

    def wrap(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(
            *,
            server: str,
            data: Path,
            token_file: Path | None,
            as_json: bool,
            **given: Any,
        ) -> None:
            client = Client(server, read_token(token_file, data), actor=read_login())
            function(client, Output(as_json), **given)

        keyword = inspect.Parameter.KEYWORD_ONLY
        own = [
            parameter.replace(kind=keyword)
            for parameter in list(inspect.signature(function).parameters.values())[2:]
        ]
        added = [
            inspect.Parameter("server", keyword, default="http://127.0.0.1:8083", annotation=ServerOption),
            inspect.Parameter("data", keyword, default=DEFAULT_DATA, annotation=DataOption),
            inspect.Parameter("token_file", keyword, default=None, annotation=TokenOption),
            inspect.Parameter("as_json", keyword, default=False, annotation=JsonOption),
        ]
        run.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *added)}
        return app.command(name)(run)

    return wrap


def read_login() -> str:
    """The user's login name, for the server's audit log."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return ""


def read_file(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as cause:
        raise BootosError(f"{path} cannot be read: {cause}") from cause


# --- serve ------------------------------------------------------------------------------------------------


@serve_app.callback(invoke_without_command=True)
def serve(
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
    ] = "127.0.0.1:8083",
    data: DataOption = DEFAULT_DATA,
    database: Annotated[
        str, typer.Option(metavar="URL", help="SQLAlchemy URL. Default: SQLite, DIR/bootos.db.")
    ] = "",
    boot_files: Annotated[
        Path, typer.Option(metavar="DIR", help="The directory with vmlinuz and initrd.img.")
    ] = Path("build/image"),
    public_url: Annotated[
        str, typer.Option(metavar="URL", help="How machines reach this server. Default: the listen address.")
    ] = "",
    append: Annotated[
        str, typer.Option(metavar="WORDS", help="More kernel arguments, as 'DEVELOPER=1 PRE=http://...'.")
    ] = "",
    tftp: Annotated[
        bool | None,
        typer.Option(
            "--tftp/--no-tftp", help="Put boot loaders into DIR/tftp. Default: when they are installed."
        ),
    ] = None,
    legacy_api: Annotated[
        bool, typer.Option("--legacy-api/--no-legacy-api", help="Answer Cloudboot v1 agents as well.")
    ] = True,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more.")] = False,
) -> None:
    """Run the server: boot files, agents, operator API and web pages.

    Example: bootos serve --listen 10.0.0.1:8083 --data /var/lib/bootos
    """
    from bootos.server.serve import run_server
    from bootos.server.settings import Settings

    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise typer.BadParameter(f"{listen!r} is not HOST:PORT", param_hint="--listen")
    if any(character in public_url + append for character in "\r\n") or " " in public_url:
        raise typer.BadParameter(
            "line ends and spaces cannot be in these", param_hint="--public-url, --append"
        )
    run_server(
        Settings(
            data=data,
            host=host.strip("[]"),
            port=int(port),
            database=database,
            boot_files=boot_files,
            public_url=public_url,
            append=append,
            tftp=tftp,
            legacy_api=legacy_api,
        )
    )


# --- machine ----------------------------------------------------------------------------------------------

MachineArgument = Annotated[str, typer.Argument(metavar="MACHINE", help="Serial number, or id.")]


@operator_command(machine_app, "list")
def list_machines(client: Client, out: Output) -> None:
    """List the machines.

    Example: bootos machine list
    """
    columns = {
        "id": "ID",
        "sn": "SERIAL NUMBER",
        "state": "STATE",
        "vendor": "VENDOR",
        "product": "PRODUCT",
        "supported": "SUPPORTED",
        "address": "ADDRESS",
        "active_job": "JOB",
        "last_heard_at": "LAST HEARD",
    }
    out.table(client.call("GET", "machines"), columns, "no machine has registered yet")


@operator_command(machine_app, "show")
def show_machine(client: Client, out: Output, machine: MachineArgument) -> None:
    """Show a machine; with --json its whole inventory.

    Example: bootos machine show SN001
    """
    value = client.call("GET", "machines", machine)
    if out.as_json:
        out.json(value)
        return
    value["mac"] = [mac["mac"] + (" (PXE)" if mac["bound"] else "") for mac in value["macs"]]
    keys = {
        "id": "id",
        "sn": "serial number",
        "state": "state",
        "vendor": "vendor",
        "product": "product",
        "supported": "in the support list",
        "developer": "developer mode",
        "address": "address",
        "mac": "MAC addresses",
        "settings": "settings",
        "drivers": "drivers",
        "active_job": "active job",
        "jobs": "jobs",
        "last_heard_at": "last heard",
        "claims": "refused claims",
    }
    out.pairs(value, keys)
    inventory = value["inventory"]
    for section in ("disks", "nics") if inventory else ():
        rows = inventory[section]
        columns = {
            "disks": {"index": "#", "path": "DISK", "type": "TYPE", "size_bytes": "BYTES", "model": "MODEL"},
            "nics": {"name": "NIC", "mac": "MAC", "driver": "MODULE", "link": "LINK", "is_pxe": "PXE"},
        }[section]
        out.console.print()
        out.table(rows, columns, f"no {section}")


@operator_command(machine_app, "set")
def set_machine(
    client: Client,
    out: Output,
    machine: MachineArgument,
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE...",
            help="hostname, address, netmask, gateway, vlan, trunk, bonding, manage_ip, manage_netmask, "
            "manage_gateway. An empty value removes the key.",
        ),
    ],
) -> None:
    """Say what the machine shall be called, for PXE templates and answer files. An unknown one is enrolled.

    Example: bootos machine set SN001 hostname=db1 address=10.0.0.5/24 gateway=10.0.0.1
    """
    given = dict(value.partition("=")[::2] for value in values)
    if any("=" not in value for value in values):
        raise typer.BadParameter("must be KEY=VALUE", param_hint="KEY=VALUE")
    known = {row["sn"]: row for row in client.call("GET", "machines")}
    present = client.call("GET", "machines", machine)["settings"] if machine in known else {}
    if given.get("address"):
        present.pop("netmask", None)
    answer = client.call("PUT", "machines", machine, "settings", body={**present, **given})
    out.say(f"machine {answer['sn']}: {cell('settings', answer['settings'])}", answer)


@operator_command(machine_app, "delete")
def delete_machine(client: Client, out: Output, machine: MachineArgument) -> None:
    """Delete a machine, its jobs, logs, MAC addresses and PXE files.

    Example: bootos machine delete SN001
    """
    client.call("DELETE", "machines", machine)
    out.say(f"machine {machine} was deleted")


# --- template ---------------------------------------------------------------------------------------------

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A .yaml, .toml or .json file.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME")]


def read_template_file(file: Path) -> dict[str, str]:
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
def show_template(client: Client, out: Output, name: NameArgument) -> None:
    """Print a template as it was written.

    Example: bootos template show db-node
    """
    value = client.call("GET", "templates", name)
    if out.as_json:
        out.json(value)
    else:
        sys.stdout.write(value["text"])


@operator_command(template_app, "check")
def check_template(client: Client, out: Output, file: FileArgument) -> None:
    """Check a template file without storing it; says everything that is wrong, each with its place.

    Example: bootos template check db-node.yaml
    """
    answer = client.call("POST", "templates", "check", body=read_template_file(file))
    if out.as_json:
        out.json(answer)
    else:
        for problem in answer["problems"]:
            place = f"{problem['path']}: " if problem["path"] else ""
            hint = f" ({problem['hint']})" if problem["hint"] else ""
            out.console.print(Text(f"{file}: {place}{problem['message']}{hint}"))
        for name in answer["missing_secrets"]:
            out.console.print(Text(f"{file}: the secret {name!r} is not stored (bootos secret set {name})"))
        if answer["ok"]:
            out.console.print(Text(f"{file}: the template {answer['name']!r} is usable"))
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


# --- pxe --------------------------------------------------------------------------------------------------


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
        print(value["content"])


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


# --- secret -----------------------------------------------------------------------------------------------


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


# --- support ----------------------------------------------------------------------------------------------

VendorOption = Annotated[str, typer.Option(help="The vendor; * and ? are wildcards.")]
ProductOption = Annotated[str, typer.Option(help="The product; * and ? are wildcards.")]


@operator_command(support_app, "list")
def list_support(client: Client, out: Output) -> None:
    """List the hardware models on which jobs run in user mode.

    Example: bootos support list
    """
    columns = {"id": "LINE", "vendor": "VENDOR", "product": "PRODUCT"}
    out.table(client.call("GET", "support"), columns, "no model is supported yet")


@operator_command(support_app, "add")
def add_support(client: Client, out: Output, vendor: VendorOption, product: ProductOption) -> None:
    """Add a model.

    Example: bootos support add --vendor 'Dell Inc.' --product 'PowerEdge R7*'
    """
    answer = client.call("POST", "support", body={"vendor": vendor, "product": product})
    out.say(f"line {answer['id']}: {answer['vendor']} / {answer['product']}", answer)


@operator_command(support_app, "remove")
def remove_support(
    client: Client, out: Output, line: Annotated[int, typer.Argument(help="See bootos support list.")]
) -> None:
    """Remove a line of the list.

    Example: bootos support remove 3
    """
    client.call("DELETE", "support", line)
    out.say(f"line {line} was removed")


# --- job --------------------------------------------------------------------------------------------------

JobArgument = Annotated[int, typer.Argument(metavar="JOB", help="The job's id.")]


@operator_command(job_app, "list")
def list_jobs(
    client: Client,
    out: Output,
    machine: Annotated[str, typer.Option(metavar="MACHINE", help="Only this machine's jobs.")] = "",
    state: Annotated[str, typer.Option(metavar="STATE", help="Only jobs in this state.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, newest first.")] = 100,
) -> None:
    """List jobs, newest first.

    Example: bootos job list --machine SN001
    """
    columns = {
        "id": "ID",
        "sn": "SERIAL NUMBER",
        "state": "STATE",
        "mode": "MODE",
        "template": "TEMPLATE",
        "created_at": "CREATED",
        "message": "MESSAGE",
    }
    rows = client.call("GET", "jobs", machine=machine, state=state, limit=limit)
    out.table(rows, columns, "no job")


@operator_command(job_app, "create")
def create_job(
    client: Client,
    out: Output,
    machine: Annotated[
        str,
        typer.Option(metavar="MACHINE", help="Serial number or id; an unknown serial number is enrolled."),
    ],
    template: Annotated[str, typer.Option(metavar="NAME", help="The template.")],
    pxe: Annotated[str, typer.Option(metavar="NAME", help="The PXE template for the boot after it.")] = "",
    plan: Annotated[bool, typer.Option("--plan", help="Only plan: change nothing on the machine.")] = False,
    skip_hardware: Annotated[
        bool, typer.Option("--skip-hardware", help="Only MAC upload, hooks and reboot.")
    ] = False,
    reboot: Annotated[
        bool, typer.Option("--reboot/--no-reboot", help="Whether the machine reboots at the end.")
    ] = True,
    follow: Annotated[bool, typer.Option("--follow", help="Show the log until the job has ended.")] = False,
) -> None:
    """Run a template on a machine.

    Example: bootos job create --machine SN001 --template db-node --pxe debian --follow
    """
    body = {
        "machine": machine,
        "template": template,
        "pxe": pxe,
        "mode": "plan" if plan else "apply",
        "skip_hardware": skip_hardware,
        "reboot": reboot,
    }
    job = client.call("POST", "jobs", body=body)
    if not follow:
        out.say(f"job {job['id']} is {job['state']} for machine {job['sn']}", job)
        return
    watch(client, out, job["id"])


@operator_command(job_app, "show")
def show_job(client: Client, out: Output, job: JobArgument) -> None:
    """Show a job: its steps, what they change and destroy, its result.

    Example: bootos job show 12
    """
    value = client.call("GET", "jobs", job)
    if out.as_json:
        out.json(value)
        return
    keys = {
        "id": "job",
        "sn": "machine",
        "state": "state",
        "message": "message",
        "mode": "mode",
        "template": "template",
        "template_version": "version",
        "pxe": "PXE template",
        "pxe_file": "PXE file",
        "attempt": "attempt",
        "progress": "progress",
        "created_by": "created by",
        "created_at": "created",
        "started_at": "started",
        "ended_at": "ended",
    }
    out.pairs(value, keys)
    report = value["report"] or {}
    for step in report.get("steps", []):
        out.console.print(Text(f"\n{step['title']}: {step['state']} {step['message']}".rstrip()))
        for action in step["actions"]:
            out.console.print(Text(f"  {action['summary']} [{action['state']}]"))
            for change in action["changes"]:
                out.console.print(
                    Text(f"    {change['what']}: {change['before'] or '-'} -> {change['after']}")
                )
            for lost in action["destroys"]:
                out.console.print(Text(f"    destroys {lost}", style="red"))
    for problem in report.get("problems", []):
        hint = f" ({problem['hint']})" if problem["hint"] else ""
        out.console.print(Text(f"{problem['path']}: {problem['message']}{hint}", style="red"))


@operator_command(job_app, "cancel")
def cancel_job(client: Client, out: Output, job: JobArgument) -> None:
    """Cancel a job. A running one stops after its present action; a second cancel does not wait for that.

    Example: bootos job cancel 12
    """
    value = client.call("POST", "jobs", job, "cancel")
    stopping = value["state"] == "running"
    out.say(f"job {job} " + ("stops after its present action" if stopping else f"is {value['state']}"), value)


@operator_command(job_app, "log")
def show_log(
    client: Client,
    out: Output,
    job: JobArgument,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job has ended.")] = False,
) -> None:
    """Print a job's log.

    Example: bootos job log 12 --follow
    """
    if follow:
        watch(client, out, job)
        return
    lines: list[dict[str, Any]] = []
    while more := client.call("GET", "jobs", job, "log", after=lines[-1]["seq"] if lines else 0):
        lines += more
    if out.as_json:
        out.json(lines)
    for line in lines if not out.as_json else ():
        print_line(out, line)


@operator_command(job_app, "follow")
def follow_job(client: Client, out: Output, job: JobArgument) -> None:
    """Show a job's live log until it has ended; exit code 0 only when it ended well.

    Example: bootos job follow 12
    """
    watch(client, out, job)


def print_line(out: Output, line: dict[str, Any]) -> None:
    style = {"error": "red", "warning": "yellow"}.get(
        line["level"], "dim" if line["source"] == "server" else ""
    )
    out.console.print(Text(f"{line['at'][11:23]} {line['text']}", style=style))


def watch(client: Client, out: Output, job_id: int) -> None:
    """Print a job's events as they come; with --json one object per line. Exits with the job's result."""
    end: dict[str, Any] = {}
    for event, data in client.follow(job_id):
        if out.as_json:
            print(json.dumps({"event": event, **data}, ensure_ascii=False), flush=True)
        elif event == "line":
            print_line(out, data)
        if event == "end":
            end = data
    state = end.get("state", "")
    if not out.as_json:
        out.console.print(
            Text(f"job {job_id} is {state} {end.get('message', '')}".rstrip(), COLORS.get(state, ""))
        )
    if state not in ("done", "planned"):
        raise typer.Exit(1)
