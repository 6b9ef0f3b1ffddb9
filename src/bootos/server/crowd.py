"""Who may be connected, how long it may take to say what it wants, and how much of it is held in memory.

Nobody has to prove anything to connect, so what a connection may cost is bounded before anything is known of it: a
connection that said nothing is a socket and this record of it; a TLS handshake begins with its first bytes, and so many
are unfinished at most; head and body of a request have a deadline, and all bodies together a budget. When there are too
many, those go first that have come no further, of the address that has the most, and of one that keeps many lines busy:
a machine at work is driven out neither by a crowd that waits nor by one that holds the lines. `listener` tells a
`Crowd` what happens, and closes whom it names.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

from bootos.server.limit import Limits

log = logging.getLogger(__name__)

Note = Callable[[str, str], None]


def write_note(what: str, address: str) -> None:
    """What was refused, in the log; a flood is told at the level that is not shown."""
    log.debug("refused: %s (%s)", what, address)


class Connection(Protocol):
    """What can be ended."""

    def drop(self) -> None:
        """End it at once, without a word."""

    def refuse(self, status: int, error: str, hint: str, *, retry_after_s: int | None = None) -> None:
        """Answer the request that is being read so, and end the connection."""


class Guest:
    """What is known of one connection. `stage` is how far it has come: it waits to begin (`new`), is in a handshake
    (`handshake`), sends a head (`head`) or a body (`body`), is answered (`busy`), or keeps the line open (`idle`).
    `deadline` is until when it has to come further, `reader_deadline` until when it has to read what it was sent."""

    __slots__ = ("address", "body_bytes", "connection", "deadline", "number", "reader_deadline", "stage")

    def __init__(self, number: int, address: str, connection: Connection, deadline: float) -> None:
        self.number = number
        self.address = address
        self.connection = connection
        self.deadline: float | None = deadline
        self.reader_deadline: float | None = None
        self.stage = "new"
        self.body_bytes = 0


# Who goes first when room is needed: a stage that is not here is not ended for others.
GOING = ("new", "handshake", "head", "idle")
MANY = 16  # connections of one address, when all are taken: an agent has some few
ROOM = 32  # where room is needed, this part of all is made at once
RETRY_S = 5  # after which a request that had to go may find room
SLOW = {"new": "header_s", "head": "header_s", "handshake": "handshake_s"}


class Crowd:
    """All connections of one side of the server. `exempt` says for whom one address stands for many clients."""

    def __init__(
        self,
        limits: Limits,
        *,
        most: int,
        note: Note = write_note,
        exempt: Callable[[str], bool] = lambda address: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._most = min(most, limits.connections)
        self._note = note
        self._exempt = exempt
        self._clock = clock
        self._guests: dict[int, Guest] = {}
        self._by_address: Counter[str] = Counter()
        self._numbers = 0
        self._body_bytes = 0
        self._stages: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._guests)

    @property
    def body_bytes(self) -> int:
        """What is held in memory of all requests that are being read or answered."""
        return self._body_bytes

    def count_handshakes(self) -> int:
        """How many TLS handshakes are not done."""
        return self._stages["handshake"]

    @property
    def _waiting(self) -> int:
        return sum(self._stages[stage] for stage in GOING)

    def admit(self, address: str, connection: Connection) -> Guest | None:
        """The record of a new connection; None when it is not taken."""
        limits = self._limits
        if self._by_address[address] >= limits.connections_per_address and not self._exempt(address):
            self._note("connections_per_address", f"{address} has too many connections")
            return None
        if len(self._guests) >= self._most:
            self._note("connections", "there are too many connections")
            if not self._make_place(address):
                return None
        if self._waiting >= limits.waiting_connections:
            self._note("waiting_connections", "too many connections wait and say nothing")
            self._make_room(GOING)
        self._numbers += 1
        deadline = self._clock() + limits.header_s
        guest = Guest(self._numbers, address, connection, deadline)
        self._guests[guest.number] = guest
        self._stages[guest.stage] += 1
        self._by_address[address] += 1
        return guest

    def leave(self, guest: Guest) -> None:
        """It is closed. Told twice, it counts once."""
        if self._guests.pop(guest.number, None) is None:
            return
        self._stages[guest.stage] -= 1
        self._release(guest)
        self._by_address[guest.address] -= 1
        if not self._by_address[guest.address]:
            del self._by_address[guest.address]

    def begin_handshake(self, guest: Guest) -> None:
        """Its first bytes came. When too many handshakes are unfinished, another one goes."""
        if self.count_handshakes() >= self._limits.handshakes:
            self._note("handshakes", f"{guest.address} and others do not finish their TLS handshakes")
            self._make_room(("handshake",))
        self._enter(guest, "handshake", self._limits.handshake_s)

    def end_handshake(self, guest: Guest) -> None:
        """The handshake is done; the head of the first request is expected."""
        self.expect_head(guest)

    def expect_head(self, guest: Guest) -> None:
        """A request begins: its head has to be there in time, however often a little of it comes."""
        if guest.stage != "head":
            self._enter(guest, "head", self._limits.header_s)

    def expect_body(self, guest: Guest) -> None:
        """The head is there, and the body has to follow in time."""
        if guest.stage != "body":
            self._enter(guest, "body", self._limits.body_s)

    def expect_answer(self, guest: Guest) -> None:
        """The request is there. How long the answer may take is the application's business."""
        self._enter(guest, "busy")

    def expect_reader(self, guest: Guest) -> None:
        """It does not read what it was sent."""
        if guest.reader_deadline is None:
            guest.reader_deadline = self._clock() + self._limits.body_s

    def meet_reader(self, guest: Guest) -> None:
        """It goes on reading."""
        guest.reader_deadline = None

    def expect_nothing(self, guest: Guest) -> None:
        """It was answered."""
        self._release(guest)
        self._enter(guest, "idle")

    def hold(self, guest: Guest, size_bytes: int) -> None:
        """So much more of its request is in memory. Over the budget, unfinished bodies go: the largest first, of the
        address that holds the most."""
        guest.body_bytes += size_bytes
        self._body_bytes += size_bytes
        budget = self._limits.bodies_in_memory_bytes
        if self._body_bytes <= budget:
            return
        self._note(
            "bodies_in_memory_bytes", f"the bodies of {guest.address} and others are too large together"
        )
        for victim in self._list_largest():
            self._release(victim)
            victim.connection.refuse(
                429,
                "the server holds too many unfinished requests",
                "send it again in a while, in one go",
                retry_after_s=RETRY_S,
            )
            if self._body_bytes <= budget * 3 // 4:
                return

    def end_late(self) -> None:
        """End whoever let a deadline pass. Called every second."""
        now, guests = self._clock(), list(self._guests.values())
        for guest in guests:
            if guest.reader_deadline is not None and guest.reader_deadline < now:
                self._note("body_s", f"{guest.address} does not read what it was sent")
                guest.connection.drop()
                continue
            if guest.deadline is None or guest.deadline >= now:
                continue
            self._note(SLOW.get(guest.stage, "body_s"), f"{guest.address} was too slow ({guest.stage})")
            if guest.stage == "body":
                guest.connection.refuse(408, "the body of the request did not come in time", "send it again")
            else:
                guest.connection.drop()

    def _enter(self, guest: Guest, stage: str, most_s: float | None = None) -> None:
        """It has come to this stage, and may stay there for so long."""
        if guest.number in self._guests:
            self._stages[guest.stage] -= 1
            self._stages[stage] += 1
        guest.stage = stage
        guest.deadline = None if most_s is None else self._clock() + most_s

    def _release(self, guest: Guest) -> None:
        self._body_bytes -= guest.body_bytes
        guest.body_bytes = 0

    def _list_largest(self) -> Iterator[Guest]:
        """Whose bodies are unfinished, the first to go first."""
        unfinished = [guest for guest in self._guests.values() if guest.stage == "body" and guest.body_bytes]
        held: Counter[str] = Counter()
        for guest in unfinished:
            held[guest.address] += guest.body_bytes
        unfinished.sort(key=lambda guest: (held[guest.address], guest.body_bytes), reverse=True)
        return iter(unfinished)

    def _make_room(self, stages: tuple[str, ...]) -> bool:
        """End the ones in these stages that came no further than the others, of the address that has most of them, the
        oldest first; several at once, since to look for them costs as much as one. Returns whether there were any."""
        going = [guest for guest in self._guests.values() if guest.stage in stages]
        count = Counter(guest.address for guest in going)
        going.sort(key=lambda guest: (-count[guest.address], stages.index(guest.stage), guest.number))
        victims = going[: max(1, len(going) // ROOM)]
        for victim in victims:
            self.leave(victim)
            victim.connection.drop()
        return bool(victims)

    def _make_place(self, newcomer: str) -> bool:
        """End a connection for one of this address, when all are taken: of the address that has most, if those are many
        and more than the newcomer's, whatever goes on over them, so that who keeps many lines busy keeps nobody out;
        else one over which nothing goes on. Who has many himself makes place by his own. Returns whether there is one.
        """
        count, greedy = max(
            ((count, address) for address, count in self._by_address.items() if not self._exempt(address)),
            default=(0, ""),
        )
        own = 0 if self._exempt(newcomer) else self._by_address[newcomer]
        if count > max(MANY, own + 1):
            return self._drop_of(greedy, GOING, otherwise=True)
        return self._drop_of(newcomer, GOING) if own >= MANY else self._make_room(GOING)

    def _drop_of(self, address: str, stages: tuple[str, ...], *, otherwise: bool = False) -> bool:
        """End some of this address in these stages, the oldest first; `otherwise`: any of it where there are none.
        Returns whether there were any."""
        own = [guest for guest in self._guests.values() if guest.address == address]
        victims = [guest for guest in own if guest.stage in stages] or (own if otherwise else [])
        victims = victims[: max(1, len(victims) // ROOM)]
        for victim in victims:
            self.leave(victim)
            victim.connection.drop()
        return bool(victims)
