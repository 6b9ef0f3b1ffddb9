"""The support list: which model, which versions, what may be configured; and why not."""

from typing import Any

import pytest
from serving import INVENTORY, Agent, Running

from bootos.server.store.table import Support
from bootos.server.support import PARTS, Model, judge, read_sections
from bootos.template.model import Template
from bootos.template.version import compare_versions, is_within, parse_range, write_version

R740 = Model(vendor="Dell Inc.", products=("PowerEdge R740",), bios="2.10.2", bmc="4.40")


def line(number: int = 1, **more: Any) -> Support:
    values = {
        "vendor": "Dell", "product": "PowerEdge R7*", "aliases": [], "bios": "", "bmc": "", "allow": [],
    }  # fmt: skip
    return Support(id=number, **{**values, **more})


@pytest.mark.parametrize(
    ("listed", "reported"),
    [
        ("dell", "Dell Inc."),
        ("Dell Inc.", "DELL"),
        ("Dell*", "Dell Inc."),
        ("HPE", "Hewlett-Packard"),
        ("hp", "Hewlett Packard Enterprise"),
        ("Hewlett*", "HPE"),
        ("Lenovo", "IBM Corp."),
        ("Supermicro", "Super  Micro Computer, Inc."),
        ("Inspur", "IEIT SYSTEMS"),
        ("Huawei", "Huawei Technologies Co., Ltd."),
        ("*", "anything"),
    ],
)
def test_a_vendor_is_known_by_all_its_names(listed: str, reported: str) -> None:
    assert judge([line(vendor=listed, product="*")], Model(vendor=reported, products=("x",))).ok


@pytest.mark.parametrize(("listed", "reported"), [("dell", "Del"), ("dell", "Delling Inc."), ("HP", "HPX")])
def test_a_name_that_only_begins_alike_is_another_vendor(listed: str, reported: str) -> None:
    assert (
        "no line is for the vendor"
        in judge([line(vendor=listed)], Model(vendor=reported, products=("x",))).reason
    )


def test_a_line_may_bring_further_names_of_its_vendor() -> None:
    model = Model(vendor="ACME Servers Ltd", products=("A1",))
    assert not judge([line(vendor="Acme", product="A*")], model).ok
    assert judge([line(vendor="Acme", aliases=["acme servers*"], product="A*")], model).ok


def test_brackets_of_a_product_name_are_taken_as_they_are() -> None:
    model = Model(vendor="IBM", products=("System x3650 M5: -[5462AC1]-",))
    assert judge([line(vendor="Lenovo", product=model.products[0])], model).ok


@pytest.mark.parametrize(
    ("lines", "model", "wanted", "said"),
    [
        ([], R740, (), "no line is for the vendor Dell Inc."),
        ([line(product="R6*"), line(2, vendor="HP")], R740, (), "which has of this vendor: R6*"),
        ([line(bios=">=2.11")], R740, (), "line 1 asks for BIOS >=2.11, and this machine's is 2.10.2"),
        ([line(bmc="<4")], R740, (), "line 1 asks for BMC <4, and this machine's is 4.40"),
        ([line(bmc="<4")], Model(vendor="dell", products=("PowerEdge R740",)), (), "does not tell its own"),
        ([line(allow=["raid", "disks"])], R740, ("raid", "oob"), "(line 1) allows only raid, disks for the model"),
        ([line()], Model(vendor="", products=("x",)), (), "does not tell its vendor and product"),
    ],
)  # fmt: skip
def test_the_criterion_that_failed_is_named(
    lines: list[Support], model: Model, wanted: tuple[str, ...], said: str
) -> None:
    verdict = judge(lines, model, wanted)
    assert not verdict.ok
    assert said in verdict.reason
    assert verdict.remedy


def test_the_remedy_for_other_versions_is_a_line_that_fits() -> None:
    verdict = judge([line(bios=">=3")], R740)
    assert verdict.remedy.endswith("--product 'PowerEdge R740' --bios '=2.10.2' --bmc '=4.40'")
    assert judge([line(bios=">=3"), line(2, bios="=2.10.2", bmc="=4.40")], R740).ok


def test_several_lines_add_up() -> None:
    lines = [line(allow=["raid"]), line(2, allow=["bios"], bios=">=2.10"), line(3, allow=["oob"], bios=">=3")]
    assert judge(lines, R740, ("raid", "bios")).ok
    assert "asks for oob" in judge(lines, R740, ("raid", "oob")).reason


@pytest.mark.parametrize(
    ("one", "other", "result"),
    [
        ("2.9", "2.10", -1),
        ("2.10", "2.10.0", 0),
        ("2", "2.0.0", 0),
        ("2.1rc", "2.1", -1),
        ("U30 v2.36 (07/16/2020)", "U30-v2.40", -1),
        ("1.01A", "1.01B", -1),
        ("", "0", 0),
    ],
)
def test_versions_are_compared_piece_by_piece(one: str, other: str, result: int) -> None:
    assert compare_versions(one, other) == result
    assert compare_versions(other, one) == -result


@pytest.mark.parametrize(
    ("version", "range_text", "within"),
    [
        ("2.10.2", ">=2.10 <3", True),
        ("2.10.2", ">= 2.10, < 3", True),
        ("3.0", ">=2.10 <3", False),
        ("2.9", ">=2.10", False),
        ("2.10", "=2.10.0", True),
        ("2.10", "!=2.10", False),
        ("U30 v2.36", "U30*", True),
        ("U32 v2.36", "u30*", False),
        ("anything", "", True),
        ("", ">=1", False),
        ("", "*", False),
    ],
)
def test_a_range_holds_when_all_its_conditions_do(version: str, range_text: str, within: bool) -> None:
    assert is_within(version, range_text) is within


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (">=", "'>=' is not a condition"),
        ("<>", "'<>' is not a condition"),
        (">=2.*", "mixes a comparison with a wildcard"),
        ("=!", "'=!' is not a condition"),
        (">= ,", "'>= ,' is not a condition"),
        (">=--", "'--' holds neither letters nor digits"),
    ],
)
def test_what_is_no_range_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_range(text)


def test_a_version_as_a_machine_tells_it_fits_into_a_range() -> None:
    text = "U30 v2.36 (07/16/2020)"
    assert write_version(text) == "U30-v2.36-07-16-2020"
    assert is_within(text, f"={write_version(text)}")


def test_every_problem_of_a_line_comes_at_once(server: Running) -> None:
    body = {
        "vendor": " ",
        "product": "",
        "aliases": [""],
        "bios": ">=",
        "bmc": "<>",
        "allow": ["raid", "fans"],
    }
    answer = server.refuse("POST", "/support", body)
    assert answer.status == 422
    paths = [problem["path"] for problem in answer.data["problems"]]
    assert paths == ["vendor", "product", "aliases[0]", "bios", "bmc", "allow"]


def test_the_same_model_may_have_lines_for_other_versions(server: Running) -> None:
    body = {"vendor": "Dell", "product": "R740"}
    server.operate("POST", "/support", {**body, "bios": "<3", "allow": ["raid"]})
    server.operate("POST", "/support", {**body, "bios": ">=3", "allow": ["disks", "raid"]})
    assert server.refuse("POST", "/support", {**body, "bios": ">=3"}).status == 409
    assert [row["allow"] for row in server.operate("GET", "/support")] == [["raid"], ["raid", "disks"]]


def user_agent(server: Running, **inventory: Any) -> Agent:
    agent = Agent(server, developer=False, inventory={**INVENTORY, **inventory})
    assert agent.register().status == 200
    return agent


TEMPLATE = "name: t\nraid: {arrays: [{name: os, level: 1, drives: '0,1'}]}\n"


@pytest.mark.parametrize(
    ("support", "said"),
    [
        (None, "no line is for the vendor QEMU"),
        ({"product": "x"}, "which has of this vendor: x"),
        ({"product": "*", "bios": ">=2"}, "asks for BIOS >=2, and this machine's is 1.5"),
        ({"product": "*", "allow": ["disks"]}, "the template asks for raid"),
    ],
)
def test_a_job_that_the_list_does_not_cover_is_refused_with_reason_and_remedy(
    server: Running, support: dict[str, Any] | None, said: str
) -> None:
    if support is not None:
        server.operate("POST", "/support", {"vendor": "qemu", **support})
    agent = user_agent(server, bios={"version": "1.5"})
    server.put_template("t", TEMPLATE)
    server.create_job()
    assert agent.order() is None
    job = server.job(1)
    assert job["state"] == "refused"
    assert said in job["message"]
    assert "nothing was configured. To proceed, " in job["message"]
    assert "DEVELOPER=1" in job["message"]


def test_a_job_that_the_list_covers_runs(server: Running) -> None:
    body = {"vendor": "qemu", "product": "standard*", "bios": ">=1.4", "bmc": "<3", "allow": ["raid"]}
    server.operate("POST", "/support", body)
    agent = user_agent(server, bios={"version": "1.5"}, bmc={"firmware": "2.1"})
    server.put_template("t", TEMPLATE)
    server.create_job()
    assert agent.order()["template"]["raid"]
    machine = server.operate("GET", "/machines/SN001")
    assert (machine["supported"], machine["bios_version"], machine["bmc_version"]) == (True, "1.5", "2.1")


def test_a_job_that_skips_the_hardware_runs_on_any_model(server: Running) -> None:
    agent = user_agent(server)
    server.put_template("t", TEMPLATE)
    server.create_job(skip_hardware=True)
    assert agent.order()["skip_hardware"] is True


def test_the_registration_tells_whether_the_model_is_listed_and_why_not(server: Running) -> None:
    answer = Agent(server, developer=False).register()
    assert server.operate("GET", "/machines/SN001")["supported"] is False
    assert "bootos support add --vendor 'QEMU'" in answer.data["message"]
    assert "no line is for the vendor" in server.operate("GET", "/machines/SN001")["why_unsupported"]
    server.operate("POST", "/support", {"vendor": "QEMU", "product": "*", "allow": ["raid"]})
    again = Agent(server, developer=False).register()
    assert (server.operate("GET", "/machines/SN001")["supported"], again.data["message"]) == (True, "")


def test_a_job_of_developer_mode_does_not_go_on_in_user_mode(server: Running) -> None:
    agent = Agent(server)
    agent.register()
    server.put_template("t", TEMPLATE)
    server.create_job()
    assert agent.order()
    user_mode = Agent(server, developer=False)
    user_mode.register()
    assert user_mode.order() is None
    assert server.job(1)["state"] == "failed"
    assert "began this job in developer mode" in server.job(1)["message"]


def test_a_job_of_user_mode_goes_on_after_it_has_changed_a_version(server: Running) -> None:
    server.operate("POST", "/support", {"vendor": "qemu", "product": "*", "bios": "<2"})
    agent = user_agent(server, bios={"version": "1.5"})
    server.put_template("t", TEMPLATE)
    server.create_job()
    assert agent.order()["attempt"] == 1
    assert user_agent(server, bios={"version": "2.1"}).order()["attempt"] == 2


def test_every_part_of_a_template_is_something_that_a_line_can_allow() -> None:
    covered = {part for parts in PARTS.values() for part in parts}
    said = {"name", "description", "expect", "base", "variables"}  # nothing is configured by these
    assert set(Template.__struct_fields__) - said == covered


def test_a_template_that_only_erases_needs_leave_to_erase() -> None:
    verdict = judge([line(allow=["disks"])], R740, read_sections({"erase": [{"select": {"drives": "all"}}]}))
    assert "asks for erase" in verdict.reason
