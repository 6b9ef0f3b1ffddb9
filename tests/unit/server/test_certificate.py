"""Erase certificates reach the operator, from every attempt of a job."""

import json
from pathlib import Path
from typing import Any

from browsing import log_in, read
from serving import Agent, Running
from typer.testing import CliRunner

from bootos.cli import build_app
from bootos.server.command.certificate import write_certificates


def certificate(serial: str, digest: str) -> dict[str, Any]:
    return {
        "drive": {"serial": serial, "model": "DISK"},
        "method": {"method": "overwrite", "variant": "host"},
        "verification": {"result": "passed"},
        "ended_at": "2024-01-01T00:00:00Z",
        "sha256": digest,
    }


def test_a_certificate_of_an_earlier_report_is_kept(server: Running, agent: Agent, tmp_path: Path) -> None:
    server.put_template()
    server.create_job()
    order = agent.order()
    agent.report(order["job_id"], certificates=[certificate("S1", "a" * 64)])
    agent.report(order["job_id"])
    agent.report(order["job_id"], certificates=[certificate("S2", "b" * 64)])
    kept = server.job(1)["report"]["certificates"]
    assert [item["drive"]["serial"] for item in kept] == ["S1", "S2"]
    environment = {"BOOTOS_SERVER": server.operator_url, "BOOTOS_DATA": str(server.data), "COLUMNS": "200"}
    words = ["job", "certificates", "1"]
    shown = CliRunner(env=environment).invoke(build_app(words), words)
    assert "S2" in shown.output and "overwrite (host)" in shown.output
    words += ["--output", str(tmp_path / "out")]
    CliRunner(env=environment).invoke(build_app(words), words)
    assert json.loads((tmp_path / "out/S1.json").read_text()) == certificate("S1", "a" * 64)


def test_the_page_of_a_job_shows_its_certificates_and_links_them(server: Running, agent: Agent) -> None:
    server.put_template()
    server.create_job()
    order = agent.order()
    headers = log_in(server)
    assert "Erase certificates" not in read(server, "/jobs/1", headers)
    assert server.request("GET", "/jobs/1/certificates.json", headers=headers).status == 404
    made = [certificate("<S1>", "a" * 64), {"sha256": "b" * 64, "drive": "of another shape"}]
    assert agent.report(order["job_id"], certificates=made).status == 200
    page = read(server, "/jobs/1", headers)
    assert "&lt;S1&gt;" in page and "2024-01-01T00:00:00Z" in page
    assert 'href="/jobs/1/certificates.json"' in page
    assert 'href="/jobs/1/certificates.json"' in read(server, "/parts/jobs/1", headers)
    answer = server.request("GET", "/jobs/1/certificates.json", headers=headers)
    assert json.loads(answer.data) == made
    assert answer.headers["content-disposition"] == 'attachment; filename="certificates-1.json"'
    assert server.request("GET", "/jobs/1/certificates.json").status == 303


def test_a_serial_number_cannot_lead_a_file_elsewhere(tmp_path: Path) -> None:
    listed = [
        certificate("../../etc/x", "c" * 64),
        certificate("same", "d" * 64),
        certificate("same", "e" * 64),
    ]
    files = write_certificates(listed, tmp_path / "out")
    assert len(set(files)) == 3
    assert {Path(file).parent for file in files} == {tmp_path / "out"}
