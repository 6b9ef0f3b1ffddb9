"""`bootos job`."""

from typing import Annotated, Any

import typer

from bootos.server.command.client import Client
from bootos.server.command.evidence import show_certificates, show_evidence
from bootos.server.command.joblog import print_line, watch
from bootos.server.command.option import JobArgument, Output, operator_command
from bootos.wire.plantext import describe_plan, format_cost

job_app = typer.Typer(
    no_args_is_help=True, epilog="Example: bootos job create --machine SN001 --template db-node"
)


@operator_command(job_app, "list")
def list_jobs(
    client: Client,
    out: Output,
    machine: Annotated[str, typer.Option(metavar="MACHINE", help="Only this machine's jobs.")] = "",
    state: Annotated[str, typer.Option(metavar="STATE", help="Only jobs in this state.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="At most so many, newest first; 0: all.")] = 100,
    after: Annotated[int, typer.Option(min=0, metavar="JOB", help="Those before this job.")] = 0,
) -> None:
    """List jobs, newest first.

    Example: bootos job list --machine SN001
    """
    columns = {
        "id": "ID",
        "sn": "MACHINE",
        "state": "STATE",
        "mode": "MODE",
        "template": "TEMPLATE",
        "created_at": "CREATED",
        "message": "MESSAGE",
    }
    rows = client.list_all("jobs", key="id", limit=limit, after=after, machine=machine, state=state)
    out.table(rows, columns, "no job")


@operator_command(job_app, "create")
def create_job(
    client: Client,
    out: Output,
    machine: Annotated[
        str,
        typer.Option(
            metavar="MACHINE", help="Serial number or other name, or id as id:5; an unknown one is enrolled."
        ),
    ],
    template: Annotated[str, typer.Option(metavar="NAME", help="The template.")],
    pxe: Annotated[str, typer.Option(metavar="NAME", help="The PXE template for the boot after it.")] = "",
    plan: Annotated[
        bool, typer.Option("--plan", "--plan-only", help="Only plan: change nothing on the machine.")
    ] = False,
    skip_hardware: Annotated[
        bool, typer.Option("--skip-hardware", help="Only MAC upload, hooks and reboot.")
    ] = False,
    reboot: Annotated[
        bool, typer.Option("--reboot/--no-reboot", help="Whether the machine reboots at the end.")
    ] = True,
    scripts: Annotated[
        str,
        typer.Option(
            "--scripts",
            metavar="SHA256",
            help="Only if the scripts are those of `job scripts` with this sum.",
        ),
    ] = "",
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
        "scripts_sha256": scripts,
    }
    job = client.call("POST", "jobs", body=body)
    if not follow:
        waits = f"; it waits: {job['message']}" if job["message"] else ""
        out.say(f"job {job['id']} is {job['state']} for machine {job['sn']}{waits}", job)
        return
    watch(client, out, job["id"])


@operator_command(job_app, "scripts")
def show_scripts(
    client: Client,
    out: Output,
    machine: Annotated[str, typer.Option(metavar="MACHINE", help="Serial number or other name, or id:5.")],
    template: Annotated[str, typer.Option(metavar="NAME", help="The template.")],
) -> None:
    """Show the scripts that a job would send to a Cloudboot v1 agent, and the sum to approve them by.

    Example: bootos job scripts --machine SN001 --template db-node
    """
    value = client.call("POST", "jobs", "scripts", body={"machine": machine, "template": template})
    if out.as_json:
        out.json(value)
        return
    for script in value["scripts"]:
        out.line(f"{script['group']} - {script['name']}: sha256 {script['sha256']}")
        for line in script["text"].splitlines():
            out.line(f"    {line}")
        out.line()
    if value["sha256"]:
        out.line(f"to run exactly these: bootos job create ... --scripts {value['sha256']}")
    else:
        out.line("this template sends no script")


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
        "developer": "developer mode",
        "template": "template",
        "template_version": "version",
        "bases": "bases",
        "plan_job": "approved plan",
        "scripts_sha256": "approved scripts",
        "pxe": "PXE template",
        "pxe_file": "PXE file",
        "attempt": "attempt",
        "progress": "progress",
        "created_by": "created by",
        "created_at": "created",
        "started_at": "started",
        "ended_at": "ended",
    }
    bases = [f"{base['name']} v{base['version']}" for base in value["bases"]]
    out.pairs({**value, "bases": bases}, keys)
    report = value["report"] or {}
    for step in report.get("steps", []):
        out.line()
        out.line(f"{step['title']}: {step['state']} {step['message']}".rstrip())
        for action in step["actions"]:
            print_action(out, action)
    if value["can_approve"]:
        out.line()
        out.line(describe_plan(report))
        out.line(f"to carry out exactly this plan: bootos job approve {value['id']}")
    for hook in report.get("hooks", []):
        code = "not run" if hook["exit_code"] is None else f"exit code {hook['exit_code']}"
        message = f": {hook['message']}" if hook["exit_code"] is None else ""
        style = "" if hook["exit_code"] == 0 else "red"
        out.line()
        out.line(f"{hook['name']} hook {hook['url']}: {code}{message}", style)
    for problem in report.get("problems", []):
        hint = f" ({problem['hint']})" if problem["hint"] else ""
        out.line(f"{problem['path']}: {problem['message']}{hint}", "red")


def print_action(out: Output, action: dict[str, Any]) -> None:
    """An action of a plan: now -> wanted, what it costs."""
    cost = format_cost(action.get("estimate_s"), bool(action.get("reboot")))
    out.line(f"  {action['summary']} [{action['state']}]{f' ({cost})' if cost else ''}")
    for change in action["changes"]:
        out.line(f"    {change['what']}: {change['before'] or '-'} -> {change['after'] or '-'}")
    for lost in action["destroys"]:
        out.line(f"    destroys {lost}", "red")


@operator_command(job_app, "approve")
def approve_job(
    client: Client,
    out: Output,
    job: JobArgument,
    follow: Annotated[bool, typer.Option("--follow", help="Show the log until the job has ended.")] = False,
) -> None:
    """Approve the plan of a plan-only job: a new job carries out exactly that. If the machine's plan is another one
    by then, nothing is changed.

    Example: bootos job approve 12 --follow
    """
    made = client.call("POST", "jobs", job, "approve")
    if follow:
        watch(client, out, made["id"])
        return
    out.say(f"job {made['id']} carries out the plan of job {job} on machine {made['sn']}", made)


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


operator_command(job_app, "evidence")(show_evidence)
operator_command(job_app, "certificates")(show_certificates)


@operator_command(job_app, "follow")
def follow_job(client: Client, out: Output, job: JobArgument) -> None:
    """Show a job's live log until it has ended; exit code 0 only when it ended well.

    Example: bootos job follow 12
    """
    watch(client, out, job)
