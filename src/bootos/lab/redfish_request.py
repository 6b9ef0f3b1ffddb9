"""Asks a machine's Redfish service what a person would with curl. Used by the boot paths and by tests."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from bootos.errors import BootosError
from bootos.lab.loopback import LOOPBACK
from bootos.lab.redfish import RedfishService
from bootos.lab.vendor_tools.redfish_spec import RedfishSpec

_TIMEOUT_S = 300.0


def ask_redfish(
    service: RedfishService, spec: RedfishSpec, method: str, path: str, body: dict[str, Any] | None = None
) -> tuple[int, dict[str, Any]]:
    """The status and the answer, as the first user of `spec`. Raises BootosError when there is no answer."""
    login = base64.b64encode(f"{spec.user}:{spec.password}".encode()).decode()
    request = urllib.request.Request(
        f"{service.scheme}://{LOOPBACK}:{service.port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
        method=method,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # a BMC's certificate is not signed by anybody
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=context) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"{}")
    except OSError as error:
        raise BootosError(f"the Redfish service did not answer to {method} {path}: {error}") from error
