"""All stand-ins, one line each."""

from bootos.lab.vendor_tools.ssacli import Ssacli
from bootos.lab.vendor_tools.tool import Tool

TOOLS: tuple[Tool, ...] = (Ssacli(),)
