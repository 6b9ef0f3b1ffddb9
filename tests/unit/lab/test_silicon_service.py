"""The way from a guest's script to the silicon and back, with the service and the script themselves."""

import base64
import json
import shutil
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from fakeimage import build_fake_image

from bootos.image.layers.core import read_image, unpack_layer
from bootos.lab.layer import LAYER, build_boot_files
from bootos.lab.spec import Identity, MachineSpec
from bootos.lab.vendor_tools.script import PAYLOAD, build_script, read_script
from bootos.lab.vendor_tools.service import SiliconService
from bootos.lab.vendor_tools.silicon import Knob, Output, PciIdentity, Silicon, SiliconSpec
from bootos.process import run


class Printer:
    """Says what it got, and writes a file."""

    names: tuple[str, ...] = ("lpr", "update-package")

    def run(
        self, silicon: Silicon, argv: Sequence[str], files: Mapping[str, bytes], *, program: str
    ) -> Output:
        silicon.state["pages"] = silicon.state.get("pages", 0) + 1
        said = {name: content.decode() for name, content in files.items()}
        return Output(
            code=3, stdout=json.dumps([program, *argv, said]), stderr="low\n", files={"out": "page"}
        )


@pytest.fixture
def service() -> Iterator[SiliconService]:
    one = SiliconService()
    one.add("SN1", Silicon(SiliconSpec(programs=("lpr",)), tools=(Printer(),)))
    yield one
    one.close()


def ask(service: SiliconService, **call: object) -> dict[str, object]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.port}/run", json.dumps(call).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, object] = json.load(answer)
    return found


def test_a_program_runs_on_the_silicon_of_the_machine_that_asks(service: SiliconService) -> None:
    files = {"a.cfg": base64.b64encode(b"x=1").decode()}
    answer = ask(service, serial="SN1", program="lpr", argv=["a.cfg"], files=files)
    assert answer == {
        "code": 3,
        "stdout": '["lpr", "a.cfg", {"a.cfg": "x=1"}]',
        "stderr": "low\n",
        "files": {"out": "page"},
    }


def test_a_machine_has_only_the_programs_of_its_specification(service: SiliconService) -> None:
    assert ask(service, serial="SN1", program="update-package", argv=[], files={})["code"] == 127
    payload = {PAYLOAD: base64.b64encode(b"{}").decode()}
    assert ask(service, serial="SN1", program="update-package", argv=[], files=payload)["code"] == 3


def test_an_unknown_machine_is_refused_by_its_serial(service: SiliconService) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(service, serial="SN2", program="lpr", argv=[], files={})
    assert b"SN2" in refused.value.read()
    refused.value.close()


def test_a_hanging_program_is_not_answered_until_the_end() -> None:
    service = SiliconService()
    knob = Knob(tool="lpr", kind="hang")
    service.add("SN1", Silicon(SiliconSpec(programs=("lpr",), knobs=(knob,)), tools=(Printer(),)))
    answers: list[tuple[int, bytes]] = []
    call = json.dumps({"serial": "SN1", "program": "lpr", "argv": []}).encode()
    thread = threading.Thread(target=lambda: answers.append(service.handle("/run", call)))
    thread.start()
    thread.join(0.2)
    assert thread.is_alive() and not answers
    service.close()
    thread.join(10)
    assert answers[0][0] == 503


def test_a_package_knows_its_program_and_payload_under_any_name() -> None:
    payload = '{"component": "bios", "version": "2.19.1", "say": "\\"x\\""}'
    assert read_script(build_script("update-package", payload)) == ("update-package", payload)
    assert read_script(build_script()) is None
    assert read_script(b"\x7fELF\x00\xff") is None


def test_the_guests_script_takes_files_along_and_gives_back_what_the_program_did(
    service: SiliconService, tmp_path: Path
) -> None:
    (tmp_path / "in.cfg").write_text("y=2")
    (tmp_path / "product_serial").write_text("SN1\n")
    (tmp_path / "cmdline").write_text(f"quiet LAB_SILICON=http://127.0.0.1:{service.port}\n")
    script = build_script().decode()
    script = script.replace("/sys/class/dmi/id", str(tmp_path)).replace("/proc", str(tmp_path))
    (tmp_path / "lpr").write_text(script)
    done = run([sys.executable, "lpr", "-f", "in.cfg"], cwd=tmp_path, check=False)
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout) == ["lpr", "-f", "in.cfg", {"in.cfg": "y=2"}]
    assert done.stderr == "low\n"
    assert (tmp_path / "out").read_text() == "page"


@pytest.mark.skipif(shutil.which("mksquashfs") is None, reason="needs squashfs-tools")
def test_the_layer_is_the_last_of_the_initrd_and_the_manifest_is_right(tmp_path: Path) -> None:
    image = build_fake_image(tmp_path / "image")
    card = PciIdentity(id="1000:005d", subsystem="1028:1f47", kernel_module="megaraid_sas")
    silicon = SiliconSpec(programs=("storcli64", "ssacli"), controllers=(card,))
    spec = MachineSpec(identity=Identity(serial="SN1"), silicon=silicon)
    target = build_boot_files(image, tmp_path / "boot", [spec, MachineSpec()])
    assert sorted(path.name for path in target.iterdir()) == ["initrd.img", "manifest.json", "vmlinuz"]
    made = read_image(target)
    assert [entry.name for entry in made.manifest.layers] == [LAYER]
    assert made.manifest.segments[-1].name == "99-lab"
    assert read_image(image).manifest.layers == ()
    unpack_layer(made, "99-lab", tmp_path / "lab.squashfs")
    listed = run(["unsquashfs", "-lls", tmp_path / "lab.squashfs"]).stdout
    assert "usr/sbin/storcli64 -> lab-vendor-tool" in listed
    assert "-rwxr-xr-x root/root" in listed
    face = run(["unsquashfs", "-cat", tmp_path / "lab.squashfs", "usr/lib/lab/SN1/0"]).stdout
    assert "PCI_ID=1000:005D\n" in face
