"""A driver is called: what it raises that nobody foresaw becomes a DriverError that names it."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from bootos.drivers.contract import Driver, DriverError, Machine
from bootos.errors import MISREADINGS, BootosError, describe_os_error
from bootos.wire.inventory import Inventory

log = logging.getLogger(__name__)


def read_state(driver: Driver, machine: Machine, inventory: Inventory) -> Any:
    """What the driver's `read` returns: the one way to call it. Raises DriverError, ToolError when the machine cannot
    be read, or says what the driver does not understand; then the journal has the traceback."""
    try:
        return driver.read(machine, inventory)
    except OSError as cause:
        log.info("%s: reading failed", driver.name, exc_info=True)
        raise DriverError(f"{driver.title}: cannot be read: {describe_os_error(cause)}") from cause
    except MISREADINGS as cause:
        log.info("%s: reading failed", driver.name, exc_info=True)
        raise DriverError(f"{driver.title}: a tool said what is not understood: {cause!r}") from cause


@contextlib.contextmanager
def naming_failures(driver: Driver) -> Iterator[None]:
    """Around what is asked of a driver: an error that nobody foresaw becomes a DriverError that names the driver and
    the reason, and the journal has its traceback."""
    try:
        yield
    except BootosError:
        raise
    except Exception as cause:
        log.exception("%s: the driver itself failed", driver.name)
        raise DriverError(
            f"{driver.title}: the driver itself failed: {cause!r}; the journal says where"
        ) from cause
