from pathlib import Path

from bootos.agent.host.host import Host
from bootos.drivers.contract import Machine


def test_the_agent_knows_which_image_was_booted(tmp_path: Path) -> None:
    host = Host(Machine(root=tmp_path), "boot-1")
    assert host.image_version == ""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/bootos-release").write_text("IMAGE_ID=bootos\nIMAGE_VERSION=0.1.0-0123456789ab\n")
    assert host.image_version == "0.1.0-0123456789ab"
