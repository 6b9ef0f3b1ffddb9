"""What commands on this host find the running server by, and whom they take for it. Nobody has to name it there."""

from bootos.files import write_json
from bootos.server.context import Context


def write_address_file(context: Context) -> None:
    """Write it anew: at the start, and when the authority is another one. Raises OSError."""
    write_json(
        context.settings.address_file,
        {
            "operators": context.operator_url,
            "machines": context.public_url,
            "tls": context.tls_url,
            "ca": context.authority.pem,
            "name": context.authority.find_name(),
        },
    )
