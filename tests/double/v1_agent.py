"""A Cloudboot v1 agent and an installer as existing ones behave, against a server on a socket.

The agent follows what was observed of the original: order of calls, order of keys, `User-Agent: Go-http-client/1.1`,
a first question about the list whose answer it throws away, progress as it adds it up in floating point, base64 logs,
the whole script in the log of a failure. It does not wait between polls and does not reboot; that is the test's work.
"""

import base64
import json
import subprocess
from typing import Any
from urllib.parse import quote

import urllib3

PREFIX = "/api/osinstall/v1/"


class V1Agent:
    """One machine. `developer` is `DEVELOPER=1` on its command line; `is_vm` is what its sysinfo.sh says; `source` is
    the address that it calls from, any of 127.0.0.0/8."""

    user_agent = "Go-http-client/1.1"

    def __init__(
        self,
        url: str,
        sn: str = "SN001",
        mac: str = "52:54:00:00:00:02",
        *,
        is_vm: str = "No",
        developer: bool = False,
        source: str = "127.0.0.1",
    ) -> None:
        self.url, self.sn, self.mac, self.is_vm, self.developer = url, sn, mac, is_vm, developer
        self.company, self.product, self.model = "Dell Inc.", "PowerEdge", "PowerEdge R740"
        self.path = "/usr/sbin:/usr/bin:/sbin:/bin"  # where its scripts find their commands
        self.calls: list[str] = []
        self.reports: list[tuple[float, str]] = []
        self.scripts: list[str] = []
        self._http = urllib3.PoolManager(retries=False, timeout=30, source_address=(source, 0))

    def post(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        """One call; the envelope."""
        self.calls.append(call.rpartition("/")[2])
        headers = {"Content-Type": "application/json", "User-Agent": self.user_agent}
        raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        answer = self._http.request("POST", self.url + PREFIX + call, body=raw, headers=headers)
        assert answer.status == 200, (call, answer.status, answer.data)
        value = json.loads(answer.data)
        assert isinstance(value, dict)
        return value

    def boot(self) -> None:
        """From power on to the first, discarded question about the list."""
        body = {
            "Sn": self.sn,
            "Company": self.company,
            "Product": self.product,
            "ModelName": self.model,
            "Ip": "10.0.0.9",
            "Mac": self.mac,
            "Nic": [{"Name": "eth0", "Mac": self.mac, "Ip": "10.0.0.9"}],
            "Cpu": {"Model": "Xeon", "Core": "32"},
            "Memory": [{"Name": "DIMM_A1", "Size": "32 GB"}],
            "MemorySum": 64,
            "Disk": [{"Name": "sda", "Size": "4000 GB"}],
            "DiskSum": 4000,
            "Motherboard": {"Name": "Dell Inc.", "Model": "06WXJT"},
            "Raid": "",
            "Oob": "",
            "IsVm": self.is_vm,
            "NicDevice": "",
        }
        self.post("report/deviceProductInfo", body)
        self.report(0.1, "进入bootos", "正常进入bootos")
        self.poll()

    def poll(self) -> bool:
        """What it does once in every LOOP_INTERVAL."""
        content = self.post("device/isInInstallList", {"Sn": self.sn}).get("Content")
        return isinstance(content, dict) and content.get("Result") == "true"

    def carry_out(self) -> bool:
        """From the first true answer of the list to the reboot; False: it said -1 and polls again."""
        if self.is_vm != "Yes":
            body = {
                "Sn": self.sn,
                "Company": self.company.lower(),
                "Product": self.product,
                "ModelName": self.model,
            }
            said = self.post("device/getPrepareInstallInfo", body)
            content = said.get("Content") or {}
            skip = content.get("IsSkipHardwareConfig") == "true"
            if not skip and content.get("IsVerify") != "true" and not self.developer:
                return self.fail("配置查询失败", said.get("Message", ""))
            if not skip and not self.configure():
                return False
        said = self.post("report/deviceMacInfo", {"Sn": self.sn, "Mac": self.mac})
        if said["Status"] != "success":
            return self.fail("生成PXE文件失败", said["Message"])
        self.report(0.45, "生成PXE文件", "")
        self.report(0.5, "系统开始重启", "")
        return True

    def configure(self) -> bool:
        self.report(0.15, "配置查询", "")
        said = self.post("device/getHardwareBySn", {"Sn": self.sn})
        if said["Status"] != "success":
            return self.fail("获取硬件配置模板失败", said["Message"])
        groups = said["Content"]["Hardware"] or []
        self.report(0.2, "获取硬件配置", "")
        progress = 0.3
        self.report(progress, "开始硬件配置", "")
        for group in groups:
            progress += int(10 / len(groups)) / 100
            for script in group["Scripts"] or []:
                text = base64.b64decode(script["Script"]).decode()
                self.scripts.append(text)
                done = subprocess.run(
                    ["/bin/bash", "-c", text],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                    env={"PATH": self.path},
                )
                if done.returncode:
                    log = f"{text}\nexit status {done.returncode}\n{done.stdout}"
                    return self.fail("初始化硬件失败", log)
                self.report(progress, f"{group['Name']} - {script['Name']}", "")
            self.report(progress, f"{group['Name']} 配置完成", "")
        self.report(0.4, "硬件配置结束", "")
        return True

    def report(self, progress: float, title: str, log: str) -> dict[str, Any]:
        self.reports.append((progress, title))
        body = {
            "Sn": self.sn,
            "Title": title,
            "InstallProgress": progress,
            "InstallLog": base64.b64encode(log.encode()).decode(),
        }
        return self.post("report/deviceInstallInfo", body)

    def fail(self, title: str, log: str) -> bool:
        self.report(-1, title, log)
        return False


class Installer(V1Agent):
    """What the PXE file boots: it reads its network and its answer file and says how far it is, with curl."""

    user_agent = "curl/7.88.1"

    def read(self, call: str, more: str = "&type=raw") -> str:
        path = f"{self.url}{PREFIX}device/{call}?sn={quote(self.sn)}{more}"
        answer = self._http.request("GET", path, headers={"User-Agent": self.user_agent})
        assert answer.status == 200
        return str(answer.data.decode())

    def install(self) -> None:
        for progress, title in (
            (0.6, "start"), (0.7, "partition"), (0.8, "network"), (0.85, "user"), (0.9, "services"),
            (0.95, "parameters"), (1, "end"),
        ):  # fmt: skip
            said = self.report(progress, title, f"{title} done")
            assert said["Status"] == "success", (progress, said)
