"""What is kept of a job that ended: `bootos job evidence|certificates`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bootos.errors import BootosError
from bootos.server.command.certificate import write_certificates
from bootos.server.command.client import Client
from bootos.server.command.option import JobArgument, Output


def show_evidence(
    client: Client,
    out: Output,
    job: JobArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there as JSON.")
    ] = None,
) -> None:
    """Show what is kept of a job in developer mode: inventory before it, template, report, log.

    With --output or --json it is all there, as JSON.

    Example: bootos job evidence 12 --output r740.json
    """
    value = client.call("GET", "jobs", job, "evidence")
    if output is not None:
        try:
            output.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
        except OSError as cause:
            raise BootosError(f"{output} cannot be written: {cause.strerror}") from cause
        out.say(f"the evidence of job {job} is in {output}", {"file": str(output)})
    elif out.as_json:
        out.json(value)
    else:
        shown = {**value, **value["model"], "lines": len(value["log"])}
        keys = {
            "job": "job",
            "sn": "machine",
            "state": "state",
            "message": "message",
            "vendor": "vendor",
            "product": "product",
            "bios": "BIOS version",
            "bmc": "BMC version",
            "template": "template",
            "configured": "configured",
            "lines": "log lines",
        }
        out.pairs(shown, keys)
        out.line()
        out.line(f"add the model: bootos support add --from-job {job}")


def show_certificates(
    client: Client,
    out: Output,
    job: JobArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Write each there as SERIAL.json."),
    ] = None,
) -> None:
    """Show the erase certificates of a job, or write them to files.

    Example: bootos job certificates 12 --output certificates
    """
    value = client.call("GET", "jobs", job)
    certificates: list[dict[str, Any]] = (value["report"] or {}).get("certificates", [])
    if output is not None:
        files = write_certificates(certificates, output)
        out.say(f"{len(files)} certificate(s) of job {job} are in {output}", {"files": files})
        return
    if out.as_json:
        out.json(certificates)
        return
    rows = [
        {
            "serial": item["drive"].get("serial", ""),
            "model": item["drive"].get("model", ""),
            "method": f"{item['method']['method']} ({item['method']['variant']})",
            "result": item["verification"]["result"],
            "ended_at": item["ended_at"],
        }
        for item in certificates
    ]
    columns = {
        "serial": "SERIAL NUMBER",
        "model": "MODEL",
        "method": "METHOD",
        "result": "READ BACK",
        "ended_at": "ENDED",
    }
    out.table(rows, columns, "no certificate")
