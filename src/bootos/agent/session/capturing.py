"""The server asks for a capture of this machine, between jobs: it is taken and sent, and changes nothing."""

import logging

from bootos.agent.session.client import Client
from bootos.errors import read_chain
from bootos.masking import Masker
from bootos.wire import v2

log = logging.getLogger(__name__)


def send_capture(client: Client, masker: Masker, pxe_mac: str | None = None) -> None:
    """Take a capture and send it, or the reason why there is none; `masker` knows the secrets of earlier jobs. Raises
    Refused, Unreachable."""
    from bootos.engine.capture.source import FAILURES
    from bootos.engine.capture.take import take_capture
    from bootos.hardware.capture import pack_capture

    log.info("the server asks for a capture of this machine")
    try:
        capture = take_capture(masker=masker, pxe_mac=pxe_mac)
        upload = v2.CaptureUpload(data=pack_capture(capture))
    except FAILURES as cause:
        log.warning("no capture is taken: %s", cause)
        upload = v2.CaptureUpload(error="; ".join(read_chain(cause)))
    client.upload_capture(upload)
    log.info("the capture is sent (%d bytes)", len(upload.data))
