"""The licenses of Debian packages, read from their copyright files where these are machine-readable
(copyright format 1.0). Pure. A name without a certain SPDX identifier makes the answer NOASSERTION: no guesses.
"""

import re
from collections.abc import Iterable

NO_ASSERTION = "NOASSERTION"

_FIXED = {
    "0bsd": "0BSD",
    "apache-2": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "artistic": "Artistic-1.0-Perl",
    "artistic-2.0": "Artistic-2.0",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-4-clause": "BSD-4-Clause",
    "bsl-1.0": "BSL-1.0",
    "cc0": "CC0-1.0",
    "cc0-1.0": "CC0-1.0",
    "cc-by-sa-3.0": "CC-BY-SA-3.0",
    "cc-by-sa-4.0": "CC-BY-SA-4.0",
    "expat": "MIT",
    "fsful": "FSFUL",
    "fsfullr": "FSFULLR",
    "isc": "ISC",
    "mpl-1.1": "MPL-1.1",
    "mpl-2.0": "MPL-2.0",
    "openssl": "OpenSSL",
    "psf-2": "PSF-2.0",
    "python-2.0": "Python-2.0",
    "sissl": "SISSL",
    "unicode": "Unicode-DFS-2016",
    "x11": "X11",
    "zlib": "Zlib",
    "zpl-2.1": "ZPL-2.1",
}
_GNU = re.compile(r"(a?gpl|lgpl|gfdl)-(\d)(?:\.(\d))?(\+)?", re.IGNORECASE)
_GNU_VERSIONS = {"GPL": {"1.0", "2.0", "3.0"}, "LGPL": {"2.0", "2.1", "3.0"}, "AGPL": {"3.0"}, "GFDL": set()}


def parse_names(copyright_text: str) -> list[str]:
    """The license names of a machine-readable copyright file, one for each `License:` line, without repetition; none
    when the file is not machine-readable."""
    if not re.match(r"\s*Format(-Specification)?:", copyright_text):
        return []
    names: list[str] = []
    for line in copyright_text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.lower() == "license" and value.strip() and value.strip() not in names:
            names.append(value.strip())
    return names


def find_identifier(name: str) -> str:
    """The SPDX identifier of one Debian license name, or an empty string."""
    found = _GNU.fullmatch(name)
    if found:
        family, version = found[1].upper(), f"{found[2]}.{found[3] or 0}"
        if version not in _GNU_VERSIONS[family]:
            return ""
        return f"{family}-{version}-{'or-later' if found[4] else 'only'}"
    return _FIXED.get(name.lower(), "")


def build_expression(names: Iterable[str]) -> str:
    """One SPDX license expression for all of a package's license names; NOASSERTION when one is not certain."""
    parts = []
    for name in names:
        expression = _translate(name)
        if not expression:
            return NO_ASSERTION
        if expression not in parts:
            parts.append(expression)
    if not parts:
        return NO_ASSERTION
    return " AND ".join(sorted(f"({p})" if " OR " in p and len(parts) > 1 else p for p in parts))


def _translate(name: str) -> str:
    """`GPL-2+ or Expat` -> `GPL-2.0-or-later OR MIT`; empty when a part is not known."""
    alternatives = []
    for alternative in re.split(r"(?:,|(?<!\s))\s+or\s+", name):
        parts = [
            find_identifier(part.strip(" ,")) for part in re.split(r"(?:,|(?<!\s))\s+and\s+", alternative)
        ]
        if not all(parts):
            return ""
        joined = " AND ".join(parts)
        alternatives.append(f"({joined})" if len(parts) > 1 and " or " in name else joined)
    return " OR ".join(alternatives)
