"""Which image a machine gets: its own pin, else the pin of its model, else the default. Pure."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from bootos.server.support import is_like
from bootos.server.vendor import find_names

By = Literal["machine", "model", "default"]


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """`version` is for one machine, or for all whose vendor and product fit the wildcard patterns."""

    id: int
    version: str
    machine_id: int | None = None
    vendor: str = ""
    product: str = ""

    @property
    def literal_count(self) -> int:
        """How much of a model's pattern is no wildcard: the more, the nearer to one model."""
        return sum(letter not in "*?[]" for letter in self.vendor + self.product)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which image, and what decided that."""

    version: str
    by: By


def choose_image(
    pins: Iterable[Pin], default: str, *, machine_id: int | None, vendor: str, product: str
) -> Choice:
    """The image that a machine gets: its own pin's, else its model's, else the default. Of several pins that fit the
    model the nearest counts: the one with the most letters that are no wildcard."""
    fitting = [pin for pin in pins if pin.machine_id is None and has_model(pin, vendor, product)]
    for pin in pins:
        if pin.machine_id is not None and pin.machine_id == machine_id:
            return Choice(version=pin.version, by="machine")
    if fitting:
        nearest = max(fitting, key=lambda pin: (pin.literal_count, -pin.id))
        return Choice(version=nearest.version, by="model")
    return Choice(version=default, by="default")


def has_model(pin: Pin, vendor: str, product: str) -> bool:
    """Whether the pin is for this model. As in the support list, blanks and case do not matter, and a vendor is known
    by all its names."""
    return any(is_like(name, pin.vendor) for name in find_names(vendor)) and is_like(product, pin.product)
