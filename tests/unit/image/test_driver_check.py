"""Which modules are let into an image, and what is said of those that are not."""

import msgspec
import pytest
from kernelmodule import LABNIC, LABSCSI, RELEASE

from bootos.image.driver.check import (
    Export,
    Kernel,
    Verdict,
    check_modules,
    collect_known,
    find_broken,
    parse_config,
    parse_symvers,
)
from bootos.image.driver.module_file import ModuleFile, parse_module

NIC, SCSI = parse_module(LABNIC, "labnic.ko"), parse_module(LABSCSI, "labscsi.ko")
OF_CORE = {name for name in SCSI.needs if name.startswith("labcore_")}


def build_kernel(**more: object) -> Kernel:
    exports = {
        name: Export(version=version, module="labcore" if name in OF_CORE else "")
        for module in (NIC, SCSI)
        for name, version in module.needs.items()
    }
    kernel = Kernel(
        release=RELEASE,
        vermagic=NIC.vermagic,
        exports=exports,
        is_complete=True,
        modules=frozenset({"labcore", "labnic"}),
        is_signature_enforced=False,
    )
    return msgspec.structs.replace(kernel, **more)


def check(module: ModuleFile, **more: object) -> Verdict:
    return check_modules([module], build_kernel(**more))


def say(verdict: Verdict) -> str:
    return "\n".join(map(str, verdict.problems))


def change(module: ModuleFile, **fields: object) -> ModuleFile:
    return msgspec.structs.replace(module, **fields)


def test_modules_of_this_kernel_fit() -> None:
    assert OF_CORE
    assert check_modules([NIC, SCSI], build_kernel()) == Verdict()


def test_a_module_of_another_release_is_refused_for_that_alone() -> None:
    verdict = check(SCSI, release="6.12.200+lab-amd64", exports={})
    assert say(verdict).startswith(
        f"labscsi.ko: was built for kernel {RELEASE}; this image has 6.12.200+lab-amd64"
    )
    assert len(verdict.problems) == 1


def test_a_module_of_a_kernel_with_other_settings_is_refused() -> None:
    module = change(SCSI, vermagic=f"{RELEASE} SMP preempt_rt mod_unload modversions ")
    assert "with other settings" in say(check(module))


def test_a_symbol_that_the_kernel_lacks_is_named() -> None:
    module = change(SCSI, needs={**SCSI.needs, "gone_for_good": 1})
    assert f"needs what kernel {RELEASE} does not have: gone_for_good" in say(check(module))


def test_a_weak_symbol_may_be_missing() -> None:
    module = change(SCSI, needs={**SCSI.needs, "perhaps": 1}, weak=frozenset({"perhaps"}))
    assert not check(module).problems


def test_a_symbol_of_another_version_is_named_with_both() -> None:
    needs = {**SCSI.needs, "labcore_register": 0xABCD}
    text = say(check(change(SCSI, needs=needs)))
    assert "was built against other headers: labcore_register (0x0000abcd, the kernel's is 0x" in text


def test_a_module_that_needs_another_one_needs_it_in_the_image() -> None:
    text = say(check(SCSI, modules=frozenset()))
    assert "of module labcore, which this image lacks" in text
    assert "modules.keep" in text


def test_modules_that_come_together_may_use_each_other() -> None:
    provider = change(NIC, name="labcore", offers=dict.fromkeys(OF_CORE, 1))
    assert not check_modules([provider, SCSI], build_kernel(modules=frozenset())).problems


def test_many_symbols_are_counted_not_listed() -> None:
    needs = {f"missing_{number}": 1 for number in range(9)}
    assert "missing_4 and 4 more" in say(check(change(NIC, needs=needs)))


def test_symbols_for_gpl_modules_are_for_those() -> None:
    exports = {name: Export(version=version, is_gpl_only=True) for name, version in NIC.needs.items()}
    assert not check(NIC, exports=exports).problems
    text = say(check(change(NIC, license="Proprietary"), exports=exports))
    assert "licence 'Proprietary' does not let it use" in text


def test_a_namespace_has_to_be_imported() -> None:
    exports = {name: Export(version=version, namespace="CXL") for name, version in NIC.needs.items()}
    assert "does not import the symbol namespace CXL" in say(check(NIC, exports=exports))
    assert not check(change(NIC, namespaces=("CXL",)), exports=exports).problems


def test_what_is_built_in_cannot_be_replaced() -> None:
    assert "is built into this kernel" in say(check(NIC, builtin=frozenset({"labnic"})))


def test_an_unsigned_module_is_refused_only_where_signatures_are_enforced() -> None:
    module = change(NIC, signed_by="", is_in_tree=False)
    verdict = check(module)
    assert not verdict.problems
    assert verdict.notes == ("labnic: not signed; it loads, but not where Secure Boot is on",)
    assert "is not signed" in say(check(module, is_signature_enforced=True))


def test_a_maker_s_key_is_named() -> None:
    assert "signed by Some Maker" in check(change(NIC, signed_by="Some Maker", is_in_tree=False)).notes[0]


def test_without_headers_it_is_said_what_was_not_checked() -> None:
    known = collect_known([NIC])
    verdict = check(SCSI, exports=known, is_complete=False, is_signature_enforced=None)
    assert not verdict.problems
    assert "the kernel's headers are not at hand, so these were not: " in verdict.notes[0]
    assert "labcore_register" in verdict.notes[0]
    assert "its configuration is not at hand" in verdict.notes[1]


def test_without_headers_a_known_symbol_s_version_still_counts() -> None:
    module = change(SCSI, needs={**SCSI.needs, "module_layout": 1})
    assert "module_layout" in say(check(module, exports=collect_known([NIC]), is_complete=False))


def test_missing_firmware_is_noted() -> None:
    module = change(NIC, firmware=("a.bin", "b.bin"))
    assert check(module, firmware=frozenset({"a.bin"})).notes == (
        "labnic: may ask for firmware that this image lacks: b.bin",
    )


def test_a_module_that_used_the_old_one_is_told_of() -> None:
    user = change(NIC, name="user", needs={"labnic_restart": 7}, depends=("labnic",))
    assert find_broken([user], [NIC]) == [
        "user of the image no longer loads: labnic has other versions of labnic_restart"
    ]
    same = change(user, needs={"labnic_restart": NIC.offers["labnic_restart"]})
    assert find_broken([same], [NIC]) == []


def test_module_symvers_is_read() -> None:
    text = (
        "0x5f754e5a\tmemset\tvmlinux\tEXPORT_SYMBOL\t\n"
        "0x0000000a\tscsi_esp_cmd\tdrivers/scsi/esp_scsi\tEXPORT_SYMBOL\t\n"
        "0x0000000b\tcxl_x\tdrivers/cxl/core/cxl-core\tEXPORT_SYMBOL_NS_GPL\tCXL\n"
    )
    assert parse_symvers(text) == {
        "memset": Export(version=0x5F754E5A),
        "scsi_esp_cmd": Export(version=10, module="esp_scsi"),
        "cxl_x": Export(version=11, module="cxl_core", is_gpl_only=True, namespace="CXL"),
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [("CONFIG_MODULE_SIG_FORCE=y\n", True), ("# CONFIG_MODULE_SIG_FORCE is not set\n", False)],
)
def test_the_configuration_says_whether_signatures_are_enforced(text: str, found: bool) -> None:
    assert ("CONFIG_MODULE_SIG_FORCE" in parse_config(text)) is found
