"""The password of a run stands nowhere: no log, page, report, file or process list, on the server or on the machine."""

import base64
import secrets
import sys
from pathlib import Path

import pytest
from browsing import read_every_page

from bootos.lab.operator import Operator
from bootos.lab.scenario import Scenario
from bootos.lab.shell import run_in_shell
from bootos.lab.spec import BmcSpec, MachineSpec, NicSpec, boot_image
from bootos.process import run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1200)]

SUPERMICRO = 10876
MAC = "52:54:00:5e:c0:01"
TEMPLATE = """
name: secret
oob:
  network: {source: static, address: 10.0.9.21/24, gateway: 10.0.9.1}
  users: [{name: ops, role: administrator, password: {secret: oob-ops}}]
  cipher_suites: [3]
scripts:
  - name: After
    scripts: [{name: look, script: "ipmitool user list 1; ps axww; env"}]
"""
# Every command line and environment that any process has while the job runs.
SAMPLER = """
import os, time
seen = set()
with open("/run/sampled", "wb", buffering=0) as out:
    while True:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for name in ("cmdline", "environ"):
                try:
                    text = open(f"/proc/{pid}/{name}", "rb").read()
                except OSError:
                    continue
                if text not in seen:
                    seen.add(text)
                    out.write(text.replace(b"\\0", b" ") + b"\\n")
        time.sleep(0.01)
"""


def test_the_password_of_a_run_stands_nowhere(image: Path, output: Path) -> None:
    password = secrets.token_hex(7)
    with Scenario(output / "run", needs=("machine", "bmc")) as scenario:
        server = scenario.start_server(boot_files=image)
        operator = Operator(server.data)
        append = f"console=ttyS0,115200 SERVER_ADDR={server.guest_url} DEVELOPER=1"
        spec = MachineSpec(
            name="secret",
            nics=(NicSpec(mac=MAC, boot=True),),
            bmc=BmcSpec(maker=SUPERMICRO),
            boot=boot_image(image, append=append),
        )
        operator.command("secret", "set", "oob-ops", "--file", "-", input=password)
        template = scenario.directory / "secret.yaml"
        template.write_text(TEMPLATE)
        operator.command("template", "add", template)
        machine = scenario.add_machine(spec)
        machine.power_on()
        machine.wait_for_serial("waiting for an order", 400)
        sampler = base64.b64encode(SAMPLER.encode()).decode()
        run_in_shell(
            machine,
            f"echo {sampler} | base64 -d > /run/sampler.py; "
            "(setsid python3 /run/sampler.py < /dev/null > /dev/null 2>&1 & echo $! > /run/sampler.pid)",
        )
        words = ("--machine", spec.identity.serial, "--template", "secret", "--no-reboot")
        created = operator.command("job", "create", *words)
        job = operator.wait_for_job(created["id"], ["done"], 300, machine=machine)
        assert job["state"] == "done", job["message"]
        assert machine.bmc is not None
        assert machine.bmc.check_login("ops", password)
        assert not machine.bmc.check_login("ops", password, suite=2)

        on_host = run(["ps", "axwwe"], timeout_s=30).stdout
        found = {
            "serial line": "\n".join(line.text for line in machine.serial.lines),
            "process list of the host": on_host,
            "job": str(operator.command("job", "show", str(created["id"]))),
            "log": str(operator.command("job", "log", str(created["id"]))),
            "machine": str(operator.command("machine", "show", spec.identity.serial)),
            **{
                f"page {path}": text
                for path, text in read_every_page(server.operator_url, server.data).items()
            },
            **{
                str(path): path.read_bytes().decode("latin-1")
                for path in scenario.directory.rglob("*")
                if path.is_file() and scenario.directory / "secret" / "bmc" not in path.parents
            },
        }
        # The searches prove something only if there are texts to search.
        assert f"page /jobs/{created['id']}" in found
        assert "ipmitool user list" in found["log"] or "ops" in found["log"]
        assert "logged in to the BMC as ops with cipher suite 3" in found["log"]
        assert sys.executable in on_host
        # the form in which ipmitool gets it
        as_bytes = " ".join(f"0x{byte:02x}" for byte in password.encode())
        leaks = sorted(name for name, text in found.items() if password in text or as_bytes in text)
        assert not leaks

        code, _ = run_in_shell(
            machine, "kill $(cat /run/sampler.pid); grep -aq 'ipmitool .*exec /dev/stdin' /run/sampled"
        )
        assert code == 0, "the sampler saw no password being set"
        halves = f"{password[:7]}''{password[7:]}"  # in two parts, so that this command does not find itself
        code, text = run_in_shell(machine, f"grep -rlaF {halves} /run /tmp /var /root /etc 2>/dev/null")
        assert code == 1, f"the password is in a file, or (/run/sampled) in a process's words: {text}"
        code, text = run_in_shell(machine, f"grep -rlaF '{as_bytes}' /run /var/log 2>/dev/null")
        assert code == 1, text
        code, _ = run_in_shell(machine, f"journalctl --no-pager | grep -qF {halves}")
        assert code == 1, "the machine's journal has the password"
