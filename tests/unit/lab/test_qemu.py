import json
from pathlib import Path

from bootos.lab.backplane import build_device
from bootos.lab.qemu import RunPaths, build_argv, find_boot_order
from bootos.lab.spec import BmcSpec, DiskSpec, Identity, KernelBoot, MachineSpec, NicSpec
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec
from bootos.lab.vendor_tools.silicon import PciIdentity, SiliconSpec, VirtualDrive

WRONG = NicSpec(mac="52:54:00:00:00:01", model="e1000", isolated=True)
RIGHT = NicSpec(mac="52:54:00:00:00:02", model="vmxnet3", boot=True)


def argv_of(spec: MachineSpec, **paths: str) -> list[str]:
    disks = {disk.name: f"/run/{disk.name}.raw" for disk in spec.disks}
    known = {"serial_socket": "/s", "qmp_socket": "/q", "kcs_socket": "/k", "tftp_root": "/tftp", **paths}
    return build_argv(spec, RunPaths(disks=disks, **known), accelerator="tcg")


def values(argv: list[str], option: str) -> list[str]:
    return [argv[index + 1] for index, word in enumerate(argv) if word == option]


def test_the_guest_takes_itself_for_a_physical_machine() -> None:
    assert values(argv_of(MachineSpec(nics=(RIGHT,))), "-cpu") == ["max,-hypervisor,-cx16"]


def test_a_machines_clock_says_what_its_specification_says_else_the_time() -> None:
    assert values(argv_of(MachineSpec(nics=(RIGHT,), clock="2003-01-01")), "-rtc") == ["base=2003-01-01"]
    assert values(argv_of(MachineSpec(nics=(RIGHT,))), "-rtc") == []


def test_only_the_booting_card_has_tftp_a_rom_and_the_first_place() -> None:
    argv = argv_of(MachineSpec(nics=(WRONG, RIGHT)), capture="/c.pcap")
    assert values(argv, "-netdev") == [
        "user,id=net0,net=10.0.3.0/24,restrict=on",
        "user,id=net1,tftp=/tftp,bootfile=lpxelinux.0",
    ]
    cards = [word for word in values(argv, "-device") if "netdev=" in word]
    assert cards == [
        "e1000,id=nic0,netdev=net0,mac=52:54:00:00:00:01,romfile=",
        "vmxnet3,id=nic1,netdev=net1,mac=52:54:00:00:00:02,bootindex=1",
    ]
    assert values(argv, "-object") == ["filter-dump,id=capture,netdev=net1,file=/c.pcap,maxlen=320"]


def test_smbios_carries_the_identity_and_doubles_commas() -> None:
    identity = Identity(vendor="Acme, Inc.", product="R1", serial="SN1", uuid="u", asset_tag="A7", version="")
    tables = values(argv_of(MachineSpec(nics=(RIGHT,), identity=identity)), "-smbios")
    assert tables == ["type=1,manufacturer=Acme,, Inc.,product=R1,serial=SN1,uuid=u", "type=3,asset=A7"]


def test_virtio_and_nvme_disks_sit_behind_ports_that_can_lose_them() -> None:
    disks = (DiskSpec(name="a", serial="S1"), DiskSpec(name="b", bus="nvme"))
    devices = values(argv_of(MachineSpec(nics=(RIGHT,), disks=disks)), "-device")
    assert devices[1:-1] == [
        "pcie-root-port,id=port-a,chassis=1,slot=1",
        "virtio-blk-pci,id=a,drive=drive-a,bus=port-a,serial=S1",
        "pcie-root-port,id=port-b,chassis=2,slot=2",
        "nvme,id=b,drive=drive-b,bus=port-b,serial=b",
    ]


def test_sata_disks_beyond_the_sixth_get_another_controller() -> None:
    disks = tuple(DiskSpec(name=f"d{number}", bus="sata") for number in range(8))
    devices = values(argv_of(MachineSpec(nics=(RIGHT,), disks=disks)), "-device")
    assert "ide-hd,id=d5,drive=drive-d5,bus=ide.5,rotation_rate=1" in devices
    assert "ahci,id=ahci1" in devices
    assert "ide-hd,id=d7,drive=drive-d7,bus=ahci1.1,rotation_rate=1" in devices


def test_scsi_disks_tell_their_model_and_rotation() -> None:
    disk = DiskSpec(name="a", bus="scsi", model="SPINNER", rotational=True, wwn="0x5000c50012345678")
    devices = values(argv_of(MachineSpec(nics=(RIGHT,), disks=(disk,), scsi_controller="megasas")), "-device")
    assert "megasas,id=scsi" in devices
    assert (
        "scsi-hd,id=a,drive=drive-a,bus=scsi.0,wwn=0x5000c50012345678,product=SPINNER,rotation_rate=7200"
        in devices
    )


def test_raw_disks_stay_sparse() -> None:
    drives = values(argv_of(MachineSpec(nics=(RIGHT,), disks=(DiskSpec(name="a"),))), "-drive")
    assert drives == [
        "if=none,id=drive-a,file=/run/a.raw,format=raw,cache=unsafe,discard=unmap,detect-zeroes=unmap"
    ]


def test_a_bmc_is_reached_over_kcs() -> None:
    argv = argv_of(MachineSpec(nics=(RIGHT,), bmc=BmcSpec()))
    assert "socket,id=ipmi0,path=/k,reconnect=1" in values(argv, "-chardev")
    assert values(argv, "-device")[1:3] == ["ipmi-bmc-extern,id=bmc0,chardev=ipmi0", "isa-ipmi-kcs,bmc=bmc0"]


def test_a_bmc_that_shares_the_port_of_the_boot_card_has_what_the_guest_sends_before_the_network() -> None:
    argv = argv_of(MachineSpec(nics=(WRONG, RIGHT), bmc=BmcSpec()), sideband="/run/side")
    assert values(argv, "-object") == [
        "filter-redirector,netdev=net1,id=sideband-rx,queue=rx,outdev=from-guest,indev=to-network",
        "filter-redirector,netdev=net1,id=sideband-tx,queue=tx,indev=to-guest",
    ]
    assert "socket,id=to-guest,path=/run/side/to-guest,reconnect=1" in values(argv, "-chardev")
    assert not values(argv_of(MachineSpec(nics=(RIGHT,), bmc=BmcSpec())), "-object")


def test_a_kernel_can_be_started_directly() -> None:
    spec = MachineSpec(
        boot=KernelBoot(kernel="/vmlinuz", initrd="/initrd.img", append="quiet"), nics=(RIGHT,)
    )
    argv = argv_of(spec)
    assert values(argv, "-kernel") == ["/vmlinuz"] and values(argv, "-append") == ["quiet"]
    assert not any("bootindex" in word for word in argv)


def test_uefi_has_its_code_read_only_and_variables_of_its_own() -> None:
    argv = argv_of(
        MachineSpec(nics=(RIGHT,), firmware="uefi"), uefi_code="/code.fd", uefi_variables="/vars.fd"
    )
    assert values(argv, "-drive") == [
        "if=pflash,unit=0,format=raw,readonly=on,file=/code.fd",
        "if=pflash,unit=1,format=raw,file=/vars.fd",
    ]


def test_secure_boot_needs_smm_and_a_network_boot_by_uefi_no_rom() -> None:
    argv = argv_of(MachineSpec(nics=(RIGHT,), firmware="uefi-secure"), uefi_code="/c", uefi_variables="/v")
    assert values(argv, "-machine") == ["q35,graphics=off,smm=on"]
    assert values(argv, "-global") == ["driver=cfi.pflash01,property=secure,value=on"]
    assert "vmxnet3,id=nic0,netdev=net0,mac=52:54:00:00:00:02,bootindex=1,romfile=" in values(argv, "-device")


def test_http_boot_does_not_wait_for_pxe() -> None:
    argv = argv_of(MachineSpec(nics=(RIGHT,), firmware="uefi", boot="http"))
    assert values(argv, "-fw_cfg") == [
        "name=opt/org.tianocore/IPv4PXESupport,string=n",
        "name=opt/org.tianocore/IPv6PXESupport,string=n",
    ]


def test_the_boot_card_can_be_plugged_into_a_network_of_the_lab() -> None:
    backends = values(argv_of(MachineSpec(nics=(WRONG, RIGHT)), tap="tap0"), "-netdev")
    assert backends[1] == "tap,id=net1,ifname=tap0,script=no,downscript=no,vnet_hdr=off"


def test_a_medium_is_a_cd_or_a_stick() -> None:
    cd = argv_of(MachineSpec(boot="cdrom", medium="/b.iso"), medium="/b.iso")
    assert "if=none,id=medium,readonly=on,format=raw,file=/b.iso" in values(cd, "-drive")
    assert "ide-cd,bus=cd.0,drive=medium,bootindex=1" in values(cd, "-device")
    stick = argv_of(MachineSpec(boot="usb", medium="/b.iso"), medium="/b.iso")
    assert "usb-storage,bus=usb.0,drive=medium,bootindex=1" in values(stick, "-device")


def test_a_bmcs_virtual_cd_is_there_without_a_medium_and_is_tried_first_when_chosen() -> None:
    spec = MachineSpec(nics=(RIGHT,), redfish=RedfishSpec(virtual_cd=True))
    empty = argv_of(spec)
    assert "scsi-cd,id=virtual-cd,bus=bmc-storage.0" in values(empty, "-device")
    assert values(empty, "-set") == []
    full = argv_of(spec, virtual_medium="/a,b.iso", boot_target="Cd")
    assert "if=none,id=virtual-medium,readonly=on,format=raw,file=/a,,b.iso" in values(full, "-drive")
    assert "scsi-cd,id=virtual-cd,bus=bmc-storage.0,drive=virtual-medium" in values(full, "-device")
    assert values(full, "-set") == ["device.virtual-cd.bootindex=0"]
    assert not any(
        "virtual-cd" in word for word in argv_of(MachineSpec(nics=(RIGHT,), redfish=RedfishSpec()))
    )


def test_what_a_bmc_chooses_comes_before_what_the_machine_boots_from() -> None:
    disk = DiskSpec(name="a")
    spec = MachineSpec(nics=(WRONG, RIGHT), disks=(disk,), redfish=RedfishSpec(virtual_cd=True))
    assert find_boot_order(spec, "") == {"virtual-cd": -1, "nic1": 1, "a": -1}
    assert find_boot_order(spec, "Hdd") == {"virtual-cd": -1, "nic1": 1, "a": 0}
    assert find_boot_order(spec, "BiosSetup") == find_boot_order(spec, "")
    assert find_boot_order(MachineSpec(boot=KernelBoot(kernel="/k"), disks=(disk,)), "Hdd") == {}


def test_a_reboot_can_end_the_machine() -> None:
    assert values(argv_of(MachineSpec(nics=(RIGHT,), reboot="exit")), "-action") == ["reboot=shutdown"]
    assert "-action" not in argv_of(MachineSpec(nics=(RIGHT,)))


def test_virtual_drives_hang_on_a_bus_of_their_own_and_the_controller_does_nothing() -> None:
    card = PciIdentity(id="1000:005d", subsystem="1028:1f47", kernel_module="megaraid_sas")
    spec = MachineSpec(nics=(RIGHT,), silicon=SiliconSpec(controllers=(card,)))
    drive = VirtualDrive(
        name="v0", size_bytes=4096, wwn="0x600508b1001c0001", vendor="DELL", model="PERC H730P Mini Mono",
        serial="00a1",
    )  # fmt: skip
    argv = build_argv(
        spec,
        RunPaths(serial_socket="/s", qmp_socket="/q"),
        accelerator="tcg",
        drives={Path("/m/vd-v0.raw"): drive},
    )
    devices = values(argv, "-device")
    assert "virtio-scsi-pci,id=backplane" in devices and "pci-testdev" in devices
    disk = next(json.loads(device) for device in devices if device.startswith("{"))
    assert (disk["bus"], disk["product"], disk["wwn"]) == (
        "backplane.0",
        "PERC H730P Mini ",
        0x600508B1001C0001,
    )
    assert json.loads(values(argv, "-blockdev")[0])["file"]["filename"] == "/m/vd-v0.raw"
    assert not any("backplane" in word for word in argv_of(MachineSpec(nics=(RIGHT,))))


def test_a_virtual_drive_has_the_first_half_of_a_world_wide_name_of_128_bits() -> None:
    drive = VirtualDrive(
        name="ir0", size_bytes=4096, wwn="0x600508e0000000001d2c3b4a59687706", vendor="LSI",
        model="Logical Volume", serial="1",
    )  # fmt: skip
    assert build_device(drive)["wwn"] == 0x600508E000000000
