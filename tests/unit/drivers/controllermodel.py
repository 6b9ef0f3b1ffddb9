"""A controller that does what it is ordered, as a pure function on the model: for tests of the planner."""

from typing import Any

import msgspec

from bootos.drivers.raid.compare import count_data
from bootos.drivers.raid.order import (
    AddSpare,
    ClearForeign,
    CreateArray,
    DeleteArray,
    ImportForeign,
    Order,
    RemoveSpare,
    SetBootArray,
    SetJbod,
    SetMode,
    SetPolicy,
)
from bootos.drivers.storage.controller import Array, Capability, Controller, ControllerState, Drive

ABLE = Capability(
    levels=(0, 1, 5, 6, 10, 50, 60),
    most_drives=32,
    strip_bytes=(65536, 262144),
    hotspares=("dedicated", "global"),
    jbod=True,
    modes=("raid", "hba"),
    foreign=True,
    boot=True,
    read_policies=("none", "ahead"),
    write_policies=("through", "back", "always-back"),
    initializations=("fast", "full", "none"),
    partial=True,
    name_length=15,
)


def build_drive(number: int, **more: Any) -> Drive:
    fields: dict[str, Any] = {
        "id": f"252:{number}",
        "number": number,
        "enclosure": "252",
        "slot": str(number),
        "serial": f"S{number}",
        "size_bytes": 480 * 10**9,
        "interface": "SATA",
    }
    return Drive(**(fields | more))


def build_controller(count: int = 6, **more: Any) -> Controller:
    fields: dict[str, Any] = {
        "id": "/c0",
        "number": 0,
        "model": "MegaRAID",
        "serial": "SV1",
        "pci_address": "0000:3b:00.0",
        "capability": ABLE,
        "drives": tuple(build_drive(number) for number in range(count)),
    }
    return Controller(**(fields | more))


def obey(state: ControllerState, order: Order) -> ControllerState:
    """The state after an order. Raises AssertionError where no controller would do that."""
    changed = tuple(
        _obey(controller, order) if controller.id == order.controller else controller
        for controller in state.controllers
    )
    assert changed != state.controllers, f"an order that changes nothing: {order}"
    return msgspec.structs.replace(state, controllers=changed)


def _set(controller: Controller, drives: tuple[str, ...], state: str) -> Controller:
    return msgspec.structs.replace(
        controller,
        drives=tuple(
            msgspec.structs.replace(drive, state=state) if drive.id in drives else drive
            for drive in controller.drives
        ),
    )


def _change(controller: Controller, array_id: str, **fields: Any) -> Controller:
    assert any(array.id == array_id for array in controller.arrays)
    return msgspec.structs.replace(
        controller,
        arrays=tuple(
            msgspec.structs.replace(array, **fields) if array.id == array_id else array
            for array in controller.arrays
        ),
    )


def _state(controller: Controller, drive_id: str) -> str:
    drive = controller.find_drive(drive_id)
    assert drive is not None
    return drive.state


def _obey(controller: Controller, order: Order) -> Controller:
    match order:
        case DeleteArray(array=array_id):
            gone = next(array for array in controller.arrays if array.id == array_id)
            kept = tuple(array for array in controller.arrays if array.id != array_id)
            controller = msgspec.structs.replace(controller, arrays=kept)
            return _set(controller, (*gone.drives, *gone.hotspares), "good")
        case CreateArray():
            for drive_id in (*order.drives, *order.hotspares):
                assert _state(controller, drive_id) == "good", f"{drive_id} is not free"
            room = min(d.room_bytes for d in controller.drives if d.id in order.drives)
            array = Array(
                id=f"{len(controller.arrays)}/{239 - len(controller.arrays)}-{order.name}",
                name=order.name,
                level=str(order.level),
                drives=order.drives,
                drive_count=len(order.drives),
                hotspares=order.hotspares,
                span=len(order.spans),
                strip_bytes=order.strip_bytes or 65536,
                size_bytes=order.size_bytes or room * count_data(order.level, order.spans),
                state="initializing",
                read_policy=order.read_policy or "ahead",
                write_policy=order.write_policy or "back",
                is_boot=order.boot,
                device=f"/dev/sd-{order.name}",
            )
            if order.boot:
                others = tuple(msgspec.structs.replace(a, is_boot=False) for a in controller.arrays)
                controller = msgspec.structs.replace(controller, arrays=others)
            controller = msgspec.structs.replace(controller, arrays=(*controller.arrays, array))
            return _set(_set(controller, order.drives, "online"), order.hotspares, "hotspare")
        case AddSpare(drive=drive_id, kind=kind, array=array_id):
            assert _state(controller, drive_id) == "good", f"{drive_id} is not free"
            controller = _set(controller, (drive_id,), "hotspare")
            if kind == "global":
                return msgspec.structs.replace(controller, hotspares=(*controller.hotspares, drive_id))
            spared = next(array for array in controller.arrays if array.id == array_id)
            return _change(controller, spared.id, hotspares=(*spared.hotspares, drive_id))
        case RemoveSpare(drive=drive_id, array=array_id):
            assert _state(controller, drive_id) == "hotspare"
            controller = _set(controller, (drive_id,), "good")
            if array_id is not None:
                spared = next(array for array in controller.arrays if array.id == array_id)
                left = tuple(entry for entry in spared.hotspares if entry != drive_id)
                return _change(controller, array_id, hotspares=left)
            left = tuple(entry for entry in controller.hotspares if entry != drive_id)
            return msgspec.structs.replace(controller, hotspares=left)
        case SetJbod(drive=drive_id, on=on):
            assert _state(controller, drive_id) == ("good" if on else "jbod")
            return _set(controller, (drive_id,), "jbod" if on else "good")
        case SetPolicy(array=array_id):
            policies = {"read_policy": order.read_policy, "write_policy": order.write_policy}
            return _change(controller, array_id, **{k: v for k, v in policies.items() if v is not None})
        case SetBootArray(array=array_id):
            for array in controller.arrays:
                controller = _change(controller, array.id, is_boot=array.id == array_id)
            return controller
        case SetMode(mode=mode):
            return msgspec.structs.replace(controller, mode=mode)
        case ClearForeign() | ImportForeign():
            ids = tuple(d.id for d in controller.drives if d.state == "foreign")
            return msgspec.structs.replace(_set(controller, ids, "good"), foreign=())
    raise AssertionError(f"no such order: {order}")
