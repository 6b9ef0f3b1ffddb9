"""Erase certificates: what was done to one drive, by whom it was told, and what reading it back found. JSON.

They lie in a directory in memory for as long as the machine runs, and go to the server with the job's report.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

DIRECTORY = "run/bootos/certificates"


def seal(content: dict[str, Any]) -> dict[str, Any]:
    """The certificate with a sha256 over itself."""
    return {**content, "sha256": find_digest(content)}


def find_digest(content: dict[str, Any]) -> str:
    """sha256 over the JSON of all keys but `sha256`: sorted, without blanks, UTF-8."""
    plain = {key: value for key, value in content.items() if key != "sha256"}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def is_sealed(content: dict[str, Any]) -> bool:
    """Whether a certificate is as it was when it was made."""
    return content.get("sha256") == find_digest(content)


def name_file(owner: str, device: str) -> str:
    """The file name of a drive's certificate: the hash of job and device, as both may have any characters."""
    return hashlib.sha256(f"{owner} {device}".encode()).hexdigest()[:24] + ".json"


def write_certificate(root: Path, owner: str, device: str, content: dict[str, Any]) -> None:
    """Store the certificate of a drive below `root`, so that it outlives the process. Raises OSError."""
    directory = root / DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name_file(owner, device)).write_text(
        json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    )


def read_certificate(root: Path, owner: str, device: str) -> dict[str, Any] | None:
    """The certificate that this job has for a drive; one that was changed does not count."""
    return _read(root / DIRECTORY / name_file(owner, device))


def read_certificates(root: Path, owner: str) -> list[dict[str, Any]]:
    """All certificates that this job has."""
    found = [_read(path) for path in sorted((root / DIRECTORY).glob("*.json"))]
    return [content for content in found if content is not None and content["job"] == owner]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and is_sealed(content) else None
