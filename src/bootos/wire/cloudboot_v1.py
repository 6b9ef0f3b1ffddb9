"""The Cloudboot v1 protocol: what existing Cloudboot servers and BootOS agents say to each other. Frozen.

All calls go to `SERVER_ADDR` + `PREFIX`. Every answer is an `Envelope` with HTTP status 200, errors as well;
`Status` and `Content` decide, `Message` is for people (existing servers write it in Chinese). Keys of requests
are matched without regard to case, unknown ones are ignored, `null` is the zero value, texts are trimmed.
Booleans are the texts "true" and "false" in answers, "Yes" and "No" in reports.
"""

import base64
import binascii
import re
from typing import Any, TypeVar

import msgspec
from msgspec import inspect as shape

from bootos.errors import BootosError
from bootos.wire.body import MOST_DEPTH, BodyError, check_body

PREFIX = "/api/osinstall/v1"
# How the User-Agent of our own agent begins. That of agents of other makers is Go-http-client/1.1.
OUR_AGENT = "bootos-agent/"

SUCCESS = "success"
ERROR = "error"
FAILURE = "failure"  # for "not matched" and "not allowed"; in answers to operators only

T = TypeVar("T", bound=msgspec.Struct)


class MalformedError(BootosError):
    """A body that is not JSON, not an object, or has a value of a wrong type."""


class NicSaid(msgspec.Struct, kw_only=True, rename="pascal"):
    """A NIC as an agent tells it. Nothing checks the texts here; the server drops what is no MAC or address."""

    name: str = ""
    mac: str = ""
    ip: str = ""


class CpuSaid(msgspec.Struct, kw_only=True, rename="pascal"):
    """`core` is a number written as text."""

    model: str = ""
    core: str = ""


class SizeSaid(msgspec.Struct, kw_only=True, rename="pascal"):
    """A DIMM or a disk; `size` is free text."""

    name: str = ""
    size: str = ""


class MotherboardSaid(msgspec.Struct, kw_only=True, rename="pascal"):
    """The maker and the model of the main board."""

    name: str = ""
    model: str = ""


class ProductInfo(msgspec.Struct, kw_only=True, rename="pascal"):
    """POST report/deviceProductInfo."""

    sn: str = ""
    company: str = ""
    product: str = ""
    model_name: str = ""
    ip: str = ""
    mac: str = ""
    nic: list[NicSaid] = []
    cpu: CpuSaid = msgspec.field(default_factory=CpuSaid)
    cpu_sum: int = 0
    memory: list[SizeSaid] = []
    memory_sum: int = 0
    disk: list[SizeSaid] = []
    disk_sum: int = 0
    motherboard: MotherboardSaid = msgspec.field(default_factory=MotherboardSaid)
    raid: str = ""
    oob: str = ""
    is_vm: str = ""
    nic_device: str = ""


class SnOnly(msgspec.Struct, kw_only=True, rename="pascal"):
    """POST device/isInInstallList, device/getHardwareBySn."""

    sn: str = ""


class ModelQuery(msgspec.Struct, kw_only=True, rename="pascal"):
    """POST device/getPrepareInstallInfo."""

    sn: str = ""
    company: str = ""
    product: str = ""
    model_name: str = ""


class InstallInfo(msgspec.Struct, kw_only=True, rename="pascal"):
    """POST report/deviceInstallInfo. `install_log` is base64; -1 is failure, 1 is the end."""

    sn: str = ""
    title: str = ""
    install_progress: float = 0.0
    install_log: str = ""


class MacInfo(msgspec.Struct, kw_only=True, rename="pascal"):
    """POST report/deviceMacInfo."""

    sn: str = ""
    mac: str = ""


class HardwareScript(msgspec.Struct, kw_only=True, rename="pascal"):
    """`script` is base64 of UTF-8 text."""

    name: str = ""
    script: str = ""


class HardwareGroup(msgspec.Struct, kw_only=True, rename="pascal"):
    """A group of a hardware template, such as RAID; `scripts` None: it has none."""

    name: str = ""
    scripts: list[HardwareScript] | None = None


class HardwareContent(msgspec.Struct, kw_only=True, rename="pascal"):
    """The content of getHardwareBySn's answer."""

    company: str = ""
    product: str = ""
    model_name: str = ""
    hardware: list[HardwareGroup] | None = None


class PrepareContent(msgspec.Struct, kw_only=True, rename="pascal"):
    """The content of getPrepareInstallInfo's answer."""

    is_verify: str = "false"
    is_skip_hardware_config: str = "false"


class Envelope(msgspec.Struct, kw_only=True, rename="pascal"):
    """Every answer. `content` UNSET leaves the key out."""

    status: str
    message: str = ""
    content: Any = msgspec.UNSET


def read_request(body: bytes, model: type[T], *, most_depth: int = MOST_DEPTH) -> T:
    """Decode a request's body, with at most so many levels of lists and objects. Raises MalformedError."""
    try:
        value = msgspec.json.decode(check_body(body, most_depth=most_depth))
    except (msgspec.DecodeError, BodyError) as cause:
        raise MalformedError(str(cause)) from cause
    if value is None:
        return model()
    if not isinstance(value, dict):
        raise MalformedError("the body is not an object")
    try:
        return msgspec.convert(_fold(value, shape.type_info(model)), model)
    except msgspec.ValidationError as cause:
        raise MalformedError(str(cause)) from cause


def _fold(value: Any, kind: shape.Type) -> Any:
    """Rename the keys to the model's own, whatever their case; trim texts; leave nulls and unknown keys out."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(kind, shape.ListType) and isinstance(value, list):
        return [_fold(item, kind.item_type) for item in value if item is not None]
    if not (isinstance(kind, shape.StructType) and isinstance(value, dict)):
        return value
    known = {field.encode_name.casefold(): field for field in kind.fields}
    folded = {}
    for key, item in value.items():
        field = known.get(key.casefold())
        if field is not None and item is not None:
            folded[field.encode_name] = _fold(item, field.type)
    return folded


def encode_envelope(answer: Envelope) -> bytes:
    """As existing servers write it: sorted keys, two spaces, `<`, `>` and `&` escaped."""
    text = msgspec.json.format(msgspec.json.encode(msgspec.to_builtins(answer), order="sorted"), indent=2)
    return text.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")


def encode_text(text: str) -> str:
    """Base64 of a script or log, as it goes over the wire."""
    return base64.b64encode(text.encode()).decode()


def decode_text(encoded: str) -> str | None:
    """The text of a base64 script or log; None when it is not base64."""
    try:
        return base64.b64decode(re.sub(r"\s", "", encoded), validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return None
