"""A yum repository as one file below /etc/yum.repos.d. Written by the image build (`[repositories]` of the recipe), by
`bootos image add --repo`, and by the agent (`REPO=` on the kernel command line). Fetches nothing.
"""

import re
from urllib.parse import urlsplit

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")
SCHEMES = ("http", "https", "ftp", "file")
REPO_SUFFIX = ".repo"


def find_url_fault(url: str) -> str | None:
    """What is wrong with the URL of a repository, or None. The URL itself is not said: it may hold a password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in SCHEMES and bool(parts.path if parts.scheme == "file" else parts.hostname)
    except ValueError:
        usable = False
    if not usable or re.search(r"\s", url):
        return f"it is not a URL of {', '.join(SCHEMES[:-1])} or {SCHEMES[-1]}"
    return None


def is_repo_file(url: str) -> bool:
    """Whether the URL is that of a .repo file and not of a repository itself."""
    return urlsplit(url).path.endswith(REPO_SUFFIX)


def build_repo_file(name: str, url: str, gpgkey: str = "") -> str:
    """The text of NAME.repo. Signatures are checked when a key is named; without one, nothing could check them."""
    lines = [f"[{name}]", f"name={name}", f"baseurl={url}", "enabled=1"]
    lines += ["gpgcheck=1", f"gpgkey={gpgkey}"] if gpgkey else ["gpgcheck=0"]
    return "\n".join(lines) + "\n"
