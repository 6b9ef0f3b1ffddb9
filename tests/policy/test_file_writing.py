"""Files are written whole or not at all in one way, `bootos.files`."""

import ast
from pathlib import Path

from sourcetree import parse_file

SOURCE = Path(__file__).parents[2] / "src/bootos"
# What renames itself: files that are written piece by piece or by tools, directories, a link, a log that begins anew.
APART = {
    "agent/console/logfile.py",
    "fetch.py",
    "image/assembly.py",
    "image/cache.py",
    "image/driver/add.py",
    "image/iso.py",
    "image/layers/core.py",
    "image/package_store.py",
    "image/steps/rpmdb.py",
    "lab/bmc_program.py",  # started for each question of ipmi_sim, so it imports next to nothing
    "lab/vendor_tools/redfish_remote.py",
    "server/image/upload.py",
    "server/netboot/tree.py",
    "server/store/backup.py",
}


def renames(node: ast.AST) -> bool:
    """`path.replace(other)`, `path.rename(other)`, `os.replace(path, other)`; `text.replace` has two arguments."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    of_os = isinstance(node.func.value, ast.Name) and node.func.value.id == "os"
    return node.func.attr in ("replace", "rename") and len(node.args) == 1 + of_os and not node.keywords


def test_who_renames_a_file_into_its_place_does_so_by_write_atomically() -> None:
    found = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if any(renames(node) for node in ast.walk(parse_file(path)))
    }
    assert found - {"files.py"} == APART, "bootos.files.write_atomically, write_json"
