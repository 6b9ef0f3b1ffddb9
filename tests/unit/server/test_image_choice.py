"""Which image a machine gets: pins, the default, rollback; and the PXE files of pinned machines."""

from pathlib import Path

import pytest
from publishing import make_image, publish, run_bootos
from serving import Agent, Running

from bootos.server.image.choice import Pin, choose_image
from bootos.server.operation.next_boot import point_to_image

PINS = [
    Pin(id=1, version="any-dell", vendor="Dell", product="*"),
    Pin(id=2, version="r7", vendor="Dell", product="PowerEdge R7*"),
    Pin(id=3, version="own", machine_id=7),
]
PXE_NAME = "01-52-54-00-00-00-02"


@pytest.mark.parametrize(
    ("machine_id", "vendor", "product", "expected"),
    [
        (7, "Dell Inc.", "PowerEdge R740", ("own", "machine")),
        (8, "Dell Inc.", "PowerEdge R740", ("r7", "model")),
        (8, "dell inc.", "poweredge  r740", ("r7", "model")),
        (8, "Dell Inc.", "PowerEdge C6420", ("any-dell", "model")),
        (8, "HPE", "ProLiant DL380", ("now", "default")),
        (8, "", "", ("now", "default")),
        (None, "", "", ("now", "default")),
    ],
)
def test_a_machines_own_pin_comes_before_that_of_its_model_and_the_nearest_model_first(
    machine_id: int | None, vendor: str, product: str, expected: tuple[str, str]
) -> None:
    choice = choose_image(PINS, "now", machine_id=machine_id, vendor=vendor, product=product)
    assert (choice.version, choice.by) == expected


def test_a_pinned_machines_pxe_file_is_the_default_file_with_the_urls_of_its_version() -> None:
    source = (
        "KERNEL http://s/bootos/vmlinuz\n"
        "APPEND initrd=http://s/bootos/initrd.img x=/bootos/vmlinuz.old DEVELOPER=1\n"
    )
    assert point_to_image(source, "1-a").splitlines()[1:] == [
        "KERNEL http://s/bootos/images/1-a/vmlinuz",
        "APPEND initrd=http://s/bootos/images/1-a/initrd.img x=/bootos/vmlinuz.old DEVELOPER=1",
    ]


@pytest.fixture
def two(server: Running, tmp_path: Path) -> tuple[str, str]:
    make_image(server.context.settings.boot_files, "local")
    versions = make_image(tmp_path / "a", "a"), make_image(tmp_path / "b", "b")
    publish(server, tmp_path / "a", default=True)
    publish(server, tmp_path / "b", default=True)
    return versions


def default(server: Running) -> str:
    return next(str(row["version"]) for row in server.operate("GET", "/images") if row["is_default"])


def test_a_rollback_goes_back_one_default_each_time_to_the_local_one(
    server: Running, two: tuple[str, str]
) -> None:
    assert default(server) == two[1]
    for expected in (two[0], "local"):
        assert server.operate("POST", "/images/rollback")["version"] == expected
        assert default(server) == expected
    assert server.refuse("POST", "/images/rollback").status == 409
    actions = [(line["action"], line["subject"]) for line in server.operate("GET", "/audit")]
    assert actions[:2] == [("image.rollback", "local"), ("image.rollback", two[0])]
    assert {"image.publish", "image.default"} <= {action for action, _ in actions}


def test_the_default_and_what_is_pinned_are_not_removed(server: Running, two: tuple[str, str]) -> None:
    first, second = two
    assert "is the default" in server.refuse("DELETE", f"/images/{second}").data["error"]
    pin = server.operate("POST", "/pins", {"version": first, "vendor": "QEMU", "product": "*"})["pin"]
    assert f"bootos image unpin {pin['id']}" in server.refuse("DELETE", f"/images/{first}").data["hint"]
    server.operate("DELETE", f"/pins/{pin['id']}")
    server.operate("DELETE", f"/images/{first}")
    assert server.refuse("DELETE", "/images/local").status == 409
    assert server.operate("POST", "/images/rollback")["version"] == "local"


def test_the_pxe_file_of_a_pinned_machine_comes_with_the_pin_and_goes_with_it(
    server: Running, two: tuple[str, str]
) -> None:
    path = server.pxe_directory / PXE_NAME
    pin = server.operate("POST", "/pins", {"version": two[0], "vendor": "qemu", "product": "Standard*"})[
        "pin"
    ]
    assert not path.exists()
    Agent(server).register()  # the model is known from now on
    assert f"/bootos/images/{two[0]}/vmlinuz" in path.read_text()
    own = server.operate("POST", "/pins", {"version": two[1], "machine": "SN001"})["pin"]
    assert f"/bootos/images/{two[1]}/initrd.img" in path.read_text()
    server.operate("DELETE", f"/pins/{own['id']}")
    assert f"/bootos/images/{two[0]}/vmlinuz" in path.read_text()
    server.operate("DELETE", f"/pins/{pin['id']}")
    assert not path.exists()


def test_the_file_of_a_job_comes_before_that_of_a_pin_which_is_back_after_it(
    server: Running, two: tuple[str, str]
) -> None:
    path = server.pxe_directory / PXE_NAME
    agent = Agent(server)
    agent.register()
    server.operate("POST", "/pins", {"version": two[0], "machine": "SN001"})
    server.put_template()
    server.operate("PUT", "/pxe-templates/debian", {"content": "DEFAULT install\n", "reports": True})
    job = server.create_job(pxe="debian")
    agent.order()
    agent.upload_mac(job["id"])
    assert path.read_text().strip() == "DEFAULT install"
    server.operate("POST", "/pins", {"version": two[1], "machine": "SN001"})
    assert path.read_text().strip() == "DEFAULT install"
    for _ in range(2):
        server.operate("POST", f"/jobs/{job['id']}/cancel")
    assert f"/bootos/images/{two[1]}/vmlinuz" in path.read_text()
    server.operate("DELETE", "/machines/SN001")
    assert not path.exists()


def test_a_pxe_file_that_the_operator_wrote_is_left_alone_and_said(
    server: Running, two: tuple[str, str]
) -> None:
    path = server.pxe_directory / PXE_NAME
    path.write_text("DEFAULT mine\n")
    Agent(server).register()
    left = server.operate("POST", "/pins", {"version": two[0], "machine": "SN001"})["left"]
    assert PXE_NAME in left[0]
    assert path.read_text() == "DEFAULT mine\n"


def test_the_commands_tell_what_is_the_default_and_who_runs_what(
    server: Running, two: tuple[str, str]
) -> None:
    Agent(server, image_version=two[0]).register()
    pinned = run_bootos(server, "image", "pin", two[0], "--machine", "SN001")
    assert pinned.exit_code == 0, pinned.output
    listed = run_bootos(server, "image", "list")
    rows = {line.split()[0]: line for line in listed.stdout.splitlines() if line}
    assert "default" in rows[two[1]]
    assert "before" in rows[two[0]]
    assert "SN001" in rows[two[0]]
    assert two[0] in run_bootos(server, "machine", "list").stdout
    assert run_bootos(server, "image", "pin", two[0]).exit_code == 2


def test_a_machine_that_shows_the_mac_of_a_pinned_one_does_not_change_its_image(
    server: Running, two: tuple[str, str]
) -> None:
    path = server.pxe_directory / PXE_NAME
    owner = Agent(server)
    owner.register()
    server.operate("POST", "/pins", {"version": two[0], "vendor": "qemu", "product": "*"})
    server.operate("POST", "/pins", {"version": two[1], "vendor": "evil", "product": "*"})
    system = {"vendor": "evil", "product": "x"}

    Agent(server, sn="EVIL", inventory={**owner.registration["inventory"], "system": system}).register()

    assert f"/bootos/images/{two[0]}/vmlinuz" in path.read_text()
