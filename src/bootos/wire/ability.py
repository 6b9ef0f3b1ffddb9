"""What a peer can be sent that older ones cannot decode: an agent of 0.1.0 gives up an `Order` with a mode it does not
know. So nothing new is sent to a peer, or rendered for an image, that did not name the ability for it.

An agent names its abilities in `Registration`, the server in `Greeting`, an image in its `manifest.json`. Whoever adds
something new to the wire, or to what an image is booted with, adds a row to `ABILITIES` and asks `is_able` before it
is sent. Pure; both ends use it.
"""

import re
from collections.abc import Iterable

ABILITIES = {
    "mode:apply": "takes an `Order` whose mode is apply: carry the template out",
    "mode:capture": "takes an `Order` whose mode is capture, between jobs: send a capture, change nothing",
    "mode:plan": "takes an `Order` whose mode is plan: plan the template, change nothing",
    "tls:offer": "changes over to the TLS end that a greeting offers, before it registers",
    "template:raid-list": "takes an `Order` whose template has a list of sections under `raid`",
}
"""Everything there is, with its meaning. A row stays for ever: peers that name it do."""
FROM_THE_START = frozenset({"mode:apply", "mode:plan"})
"""What 0.1.0 can, which names nothing. Nothing is ever added here."""
OURS = tuple(ABILITIES)
"""What this release names: its agent, its server and the images it builds."""
MOST_ABILITIES = 64  # that one peer may name
NAME = re.compile(r"[a-z0-9][a-z0-9:._-]{0,63}")


def parse_abilities(said: Iterable[str]) -> list[str]:
    """What is kept of the abilities that a peer names, which may be hostile: those that can be one, each once, no more
    than `MOST_ABILITIES`. Unknown ones are kept, for the release that knows them; they change nothing."""
    return [name for name in dict.fromkeys(said) if NAME.fullmatch(name)][:MOST_ABILITIES]


def is_able(abilities: Iterable[str], name: str) -> bool:
    """Whether a peer that named these abilities can be sent what `name` stands for."""
    return name in FROM_THE_START or name in abilities
