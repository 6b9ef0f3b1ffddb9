"""The configuration of a BMC is the files that OpenIPMI's `ipmi_sim` reads. Called by `bmc.Bmc` at each start.

ipmi_lan(5) describes its file for the LAN, ipmi_sim_cmd(5) the commands of its other file.
"""

import json
import shlex
import sys
from pathlib import Path

from bootos.lab import bmc_program
from bootos.lab.fru import FRU_BYTES, TEMPERATURE_SENSOR, build_fru, build_temperature_record
from bootos.lab.loopback import LOOPBACK
from bootos.lab.spec import BmcSpec, Identity

CHANNEL = 1


def write_configuration(
    spec: BmcSpec,
    identity: Identity,
    directory: Path,
    *,
    lan_port: int,
    serial_port: int,
    control_socket: Path,
) -> None:
    """Write what `ipmi_sim` reads: lan.conf, bmc.emu, the FRU, and the LAN settings unless they exist."""
    (directory / "state").mkdir(parents=True, exist_ok=True)
    (directory / "fru.bin").write_bytes(build_fru(identity))
    settings = directory / "lan.json"
    if not settings.exists():
        settings.write_text(json.dumps(_initial_lan(spec), indent=1))
    program = [sys.executable, "-I", "-S", str(Path(bmc_program.__file__))]
    lan_program = shlex.join([*program, "lan", str(settings.resolve())])
    chassis_program = shlex.join([*program, "chassis", str(control_socket)])
    lan_conf = f'''name "bootoslab"
set_working_mc 0x20
startlan {CHANNEL}
  addr {LOOPBACK} {lan_port}
  priv_limit admin
  allowed_auths_callback none md2 md5 straight
  allowed_auths_user none md2 md5 straight
  allowed_auths_operator none md2 md5 straight
  allowed_auths_admin none md2 md5 straight
  guid {identity.told_uuid.replace("-", "")}
  lan_config_program "{lan_program}"
endlan
chassis_control "{chassis_program}"
serial 15 {LOOPBACK} {serial_port} codec VM
user 1 false "" "" user 10 none md2 md5 straight
user 2 true "{spec.user}" "{spec.password}" admin 10 none md2 md5 straight
'''
    (directory / "lan.conf").write_text(lan_conf)
    record = " ".join(f"0x{byte:02x}" for byte in build_temperature_record())
    emulator = f"""mc_setbmc 0x20
mc_add 0x20 0 has-device-sdrs 0x01 2 17 0xbf 0x{spec.maker:06x} 0x0001 persist_sdr
sel_enable 0x20 1000 0x0a
sensor_add 0x20 0 0 35 0x6f event-only
sensor_set_event_support 0x20 0 0 enable scanning per-state \\
  000000000001111 000000000000000 000000000001111 000000000000000
sensor_add 0x20 0 {TEMPERATURE_SENSOR} 0x01 0x01
sensor_set_value 0x20 0 {TEMPERATURE_SENSOR} 24 0
sensor_set_threshold 0x20 0 {TEMPERATURE_SENSOR} settable 111000 60 50 45 0 0 0
sensor_set_event_support 0x20 0 {TEMPERATURE_SENSOR} enable scanning per-state \\
  000111111000000 000111111000000 000111111000000 000111111000000
main_sdr_add 0x20 {record}
mc_add_fru_data 0x20 0 {FRU_BYTES} file 0 "{(directory / "fru.bin").resolve()}"
mc_set_guid 0x20 {identity.told_uuid.replace("-", "")}
mc_enable 0x20
"""
    (directory / "bmc.emu").write_text(emulator)


def _initial_lan(spec: BmcSpec) -> dict[str, str]:
    none = "00:00:00:00:00:00"
    settings = {
        "ip_addr": spec.address,
        "ip_addr_src": "static",
        "mac_addr": spec.mac,
        "subnet_mask": spec.subnet_mask,
        "default_gw_ip_addr": spec.gateway,
        "default_gw_mac_addr": none,
        "backup_gw_ip_addr": "0.0.0.0",
        "backup_gw_mac_addr": none,
        "dhcp_address": spec.dhcp_address,
    }
    return bmc_program.apply_lan(settings, "ip_addr_src", spec.source)
