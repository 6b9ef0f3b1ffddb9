"""Images as `bootos image build` leaves them, but small, and what publishes them."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from serving import Running
from typer.testing import CliRunner, Result

from bootos.cli import build_app

PIECE_BYTES = 1024 * 1024


def make_image(
    directory: Path,
    seed: str,
    *,
    size_bytes: int = 200_000,
    layers: dict[str, bytes] | None = None,
    loaders: dict[str, bytes] | None = None,
) -> str:
    """An image whose files are made of `seed`; returns its version."""
    directory.mkdir(parents=True, exist_ok=True)
    files = {
        "vmlinuz": f"kernel {seed}".encode() * 100,
        "initrd.img": f"initrd {seed} ".encode() * (size_bytes // 12),
    }
    for name, content in files.items():
        (directory / name).write_bytes(content)
    for name, content in (layers or {}).items():
        (directory / "layers").mkdir(exist_ok=True)
        (directory / "layers" / f"{name}.squashfs").write_bytes(content)
    for name, content in (loaders or {}).items():
        (directory / "loaders").mkdir(exist_ok=True)
        (directory / "loaders" / name).write_bytes(content)
    version = f"0.1.0-{hashlib.sha256(seed.encode()).hexdigest()[:12]}"
    manifest = {
        "schema": 1,
        "name": "bootos",
        "version": version,
        "bootos_version": "0.1.0",
        "kernel_release": "6.12.57+deb13-amd64",
        "files": [describe(name, content) for name, content in files.items()],
        "layers": [
            {**describe(name, content), "pci_ids": ["8086:10d3"]} for name, content in (layers or {}).items()
        ],
        "loaders": [describe(name, content) for name, content in (loaders or {}).items()],
        "packages": {"systemd": "257"},
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return version


def describe(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def begin(server: Running, directory: Path) -> Any:
    signature = directory / "manifest.json.sig"
    body = {"manifest": (directory / "manifest.json").read_text()}
    if signature.exists():
        body["signature"] = base64.b64encode(signature.read_bytes()).decode()
    return server.call("POST", "/api/operator/images", body, server.context.operator_token)


def send_piece(server: Running, version: str, name: str, offset: int, content: bytes) -> Any:
    path = f"/api/operator/images/{version}/files?name={name}&offset={offset}"
    return server.call("PUT", path, content, server.context.operator_token)


def send_files(server: Running, directory: Path, states: list[dict[str, Any]], version: str) -> int:
    """Send what is missing; returns how many bytes."""
    sent = 0
    for state in states:
        content = (directory / state["name"]).read_bytes()
        have = state["have_bytes"]
        while have < state["size_bytes"]:
            piece = content[have : have + PIECE_BYTES]
            have = send_piece(server, version, state["name"], have, piece).data["have_bytes"]
            sent += len(piece)
    return sent


def publish(server: Running, directory: Path, *, default: bool = False, note: str = "") -> Any:
    answer = begin(server, directory)
    assert answer.status == 200, answer
    version = answer.data["version"]
    send_files(server, directory, answer.data["files"], version)
    return server.operate("POST", f"/images/{version}/publish", {"default": default, "note": note})


def run_bootos(server: Running, *words: str) -> Result:
    """A command line, against the server; errors are left in `.exception`."""
    environment = {"BOOTOS_SERVER": server.operator_url, "BOOTOS_DATA": str(server.data), "COLUMNS": "240"}
    return CliRunner(env=environment).invoke(build_app(words), list(words))
