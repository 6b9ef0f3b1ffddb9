"""A declarative template as a v1 script: for an agent of ours that speaks only Cloudboot v1. Pure.

The image has `bootos-agent apply`, which does what the agent does in v2; the document travels in the script. Secrets
do not: v1 has no session that would keep them from others, so such templates are refused (`order.why_not`).
"""

from typing import Any

import msgspec

from bootos.server.support import read_sections

# The document is one line that begins with a brace, so it is never equal to the line that ends the here-document.
SCRIPT = """\
# Made by the server from the template {name}, for an agent that speaks Cloudboot v1.
directory=$(umask 077 && mktemp -d) || exit 1
trap 'rm -rf "$directory"' EXIT
cat >"$directory/template.json" <<'END_OF_TEMPLATE'
{document}
END_OF_TEMPLATE
bootos-agent apply "$directory/template.json"
"""


def read_declared(template: dict[str, Any]) -> list[str]:
    """The names of the sections that the template has besides its script groups, such as `raid`."""
    return [name for name in read_sections(template) if name != "scripts"]


def build_group(template: dict[str, Any]) -> dict[str, Any]:
    """The script group that applies what the template declares; its own script groups come after it."""
    document = {name: value for name, value in template.items() if name != "scripts"}
    text = SCRIPT.format(name=document["name"], document=msgspec.json.encode(document).decode())
    return {"name": "BootOS", "scripts": [{"name": "bootos-agent apply", "script": text}]}
