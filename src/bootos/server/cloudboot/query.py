"""The calls of Cloudboot v1 with a query, of which installers make most."""

from bootos.server.cloudboot import installer
from bootos.server.cloudboot.answer import NO_ROW, NOT_FOUND, Answer, SaidError, Text, Variables, succeed
from bootos.server.cloudboot.caller import Sender, read_machine
from bootos.server.context import Context


class GetCalls:
    """The calls with a query. Each takes the serial number, or a MAC in its place, and returns what `type=raw` gets, or
    the envelope. Each raises NotFoundError or SaidError when there is no such machine, or nothing of it that the sender
    may read."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get_network_by_sn(self, sn: str, sender: Sender, raw: bool) -> Answer:
        """The network of the installed system, for installers that source it."""
        with self._context.store.read() as session:
            machine = installer.find_enrolled(self._context, session, sn, sender, otherwise=NOT_FOUND)
            network = installer.read_network(session, machine)
        installer.note_token(self._context, sn, sender)
        if not raw:
            return succeed(network, "成功获取network信息")
        names = {
            "Hostname": "HOSTNAME",
            "Ip": "IPADDR",
            "Netmask": "NETMASK",
            "Gateway": "GATEWAY",
            "Vlan": "VLAN",
        }
        values = {names.get(key, key): value for key, value in network.items()}
        return Variables(values, always=("HWADDR",))

    def get_system_by_sn(self, sn: str, sender: Sender, raw: bool) -> Answer:
        """The installer's answer file: kickstart, preseed, unattend.xml or another."""
        with self._context.store.read() as session:
            machine = read_machine(session, sn, sender, otherwise=NOT_FOUND)
            job = installer.find_answer(self._context, session, machine, sender)
            answer = job.pxe_answer
        installer.note_token(self._context, sn, sender)
        if raw:
            return Text(answer)
        at = job.created_at.isoformat()
        row = {"ID": job.id, "CreatedAt": at, "UpdatedAt": at, "DeletedAt": None}
        return succeed({**row, "Name": job.pxe_name, "Content": answer}, "成功获取system信息")

    def get_device_by_sn(self, sn: str, sender: Sender, raw: bool) -> Answer:
        """How the machine stands. Always the envelope."""
        with self._context.store.read() as session:
            content = installer.find_device(self._context, session, sn, sender)
        if content is None:
            raise SaidError(NO_ROW)
        return succeed(content)
