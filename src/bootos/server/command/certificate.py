"""Writes erase certificates to files. Used by `bootos job certificates`."""

import json
from pathlib import Path
from typing import Any

from bootos.errors import BootosError


def write_certificates(certificates: list[dict[str, Any]], directory: Path) -> list[str]:
    """One file per drive, named by its serial number; returns their paths. Raises BootosError."""
    files: list[str] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for item in certificates:
            name = str(item["drive"].get("serial") or item["sha256"][:16])
            plain = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name).lstrip(
                "."
            )
            path = directory / f"{plain or item['sha256'][:16]}.json"
            if str(path) in files:  # some drives have the same serial number
                path = directory / f"{path.stem}-{item['sha256'][:8]}.json"
            path.write_text(json.dumps(item, indent=2, ensure_ascii=False) + "\n")
            files.append(str(path))
    except OSError as cause:
        raise BootosError(f"{directory} cannot be written: {cause.strerror}") from cause
    return files
