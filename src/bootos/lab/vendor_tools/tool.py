"""What a stand-in for a vendor's program is, and how it is run: `run_tool` puts the knobs in between.

Called by the service of a lab machine and by tests in process. A tool changes nothing but the silicon.
"""

import copy
from collections.abc import Mapping, Sequence

from bootos.errors import BootosError
from bootos.lab.vendor_tools.silicon import Output, Silicon, Tool

JUNK = "\x1b[2J*** glibc detected *** double free or corruption (!prev): 0x00000000025d3010 ***\n{\x00\x7f]"


class HangError(BootosError):
    """The program hangs: it never ends, and prints nothing."""


def run_tool(
    silicon: Silicon, tool: Tool, program: str, argv: Sequence[str], files: Mapping[str, bytes]
) -> Output:
    """Run a tool with the knobs of `silicon` in between, and save the state. Raises HangError for `hang`.

    `junk`: nothing is done, rubbish is printed, exit code 0. `wrong-exit`: all is done, the exit code says
    otherwise. `ignore`: all is said to be done, state and disks are as they were. `fail-half` is the tool's affair.
    """
    with silicon.lock:
        silicon.calls.append((program, *argv))
        if silicon.is_misbehaving("hang", program, argv):
            raise HangError(f"{program} hangs")
        if silicon.is_misbehaving("junk", program, argv):
            return Output(stdout=JUNK)
        if silicon.is_misbehaving("ignore", program, argv):
            return _run_on_copy(silicon, tool, program, argv, files)
        output = tool.run(silicon, argv, files, program=program)
        silicon.save()
        if silicon.is_misbehaving("wrong-exit", program, argv):
            output.code = 0 if output.code else 1
        return output


def run_program(silicon: Silicon, program: str, argv: Sequence[str], files: Mapping[str, bytes]) -> Output:
    """Run the tool that a program's name stands for; as a shell would say it, 127 is `not found`."""
    tool = silicon.find_tool(program)
    if tool is None:
        return Output(code=127, stderr=f"{program}: command not found\n")
    return run_tool(silicon, tool, program, argv, files)


def _run_on_copy(
    silicon: Silicon, tool: Tool, program: str, argv: Sequence[str], files: Mapping[str, bytes]
) -> Output:
    """The tool's words, without its deeds: it works on a copy that no disk hangs on."""
    copied = Silicon(silicon.spec, tools=silicon.tools, now=silicon.now)
    copied.state = copy.deepcopy(silicon.state)
    return tool.run(copied, argv, files, program=program)
