"""All stand-ins, one line each."""

from bootos.lab.vendor_tools.arcconf import Arcconf
from bootos.lab.vendor_tools.firmware_package import FirmwarePackage
from bootos.lab.vendor_tools.ilorest import Ilorest
from bootos.lab.vendor_tools.mvcli import Mvcli
from bootos.lab.vendor_tools.onecli import Onecli
from bootos.lab.vendor_tools.racadm import Racadm
from bootos.lab.vendor_tools.sasircu import SasIrcu
from bootos.lab.vendor_tools.silicon import Tool
from bootos.lab.vendor_tools.ssacli import Ssacli
from bootos.lab.vendor_tools.storcli import Storcli
from bootos.lab.vendor_tools.sum import Sum

TOOLS: tuple[Tool, ...] = (
    Storcli(),
    Ssacli(),
    Arcconf(),
    SasIrcu(),
    Mvcli(),
    Racadm(),
    Ilorest(),
    Onecli(),
    Sum(),
    FirmwarePackage(),
)
