"""What went wrong with a Redfish service, in words: every error of sushy and requests becomes a `RedfishError`."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import BadStatusLine

from bootos.drivers.contract import DriverError
from bootos.drivers.redfish.reply import read_messages


class RedfishError(DriverError):
    """The service refused a request; `status` is HTTP's, 0 when it did not answer; `dropped`: it hung up; `foreign`: it
    was not asked, as the address is not the service's."""

    def __init__(
        self, message: str, *, status: int = 0, hint: str = "", dropped: bool = False, foreign: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.dropped = dropped
        self.foreign = foreign


def _has_hung_up(cause: BaseException) -> bool:
    """Whether the service ended the connection: it reset it, closed it, or began no answer. Each library on
    the way wraps the error of the one below, as its cause or among its arguments."""
    todo: list[object] = [cause]
    seen: set[int] = set()
    while todo:
        error = todo.pop()
        if not isinstance(error, BaseException) or id(error) in seen:
            continue
        if isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError | BadStatusLine):
            return True
        seen.add(id(error))
        todo += [error.__cause__, error.__context__, *error.args]
    return False


def _advise(cause: object) -> str:
    text = str(cause).lower()
    if "fingerprint" in text:
        return "another certificate than oob.redfish.fingerprint says: a new one, or another BMC"
    if "certificate" in text:
        return (
            "BMCs come with certificates nobody signed: oob.redfish.fingerprint pins this one "
            "(openssl s_client -connect HOST:443 | openssl x509 -noout -fingerprint -sha256), verify: false trusts any"
        )
    return ""


@contextmanager
def translated(what: str, url: str, user: str) -> Iterator[None]:
    """sushy's and requests' errors as RedfishError, with what was done and what the service said."""
    from requests.exceptions import RequestException
    from sushy import exceptions

    try:
        yield
    except exceptions.AccessError as cause:
        told = read_messages(cause.body) if cause.status_code == 403 and isinstance(cause.body, dict) else []
        raise RedfishError(
            f"{what}: the Redfish service at {url} refuses {user!r}"
            + "".join(f": {text}" for text in told[:1]),
            status=cause.status_code,
            hint="user, password and role of oob.redfish; after some failures a BMC refuses everybody for minutes",
        ) from None
    except exceptions.HTTPError as cause:
        said = "; ".join(read_messages(cause.body if isinstance(cause.body, dict) else {}))
        detail = said or getattr(cause, "detail", "") or "it does not say why"
        message = f"{what}: the Redfish service refused it ({cause.status_code}): {detail}"
        raise RedfishError(message, status=cause.status_code) from None
    except exceptions.ConnectionError as cause:
        raise RedfishError(
            f"{what}: the Redfish service at {url} does not answer: {cause}",
            hint=_advise(cause),
            dropped=_has_hung_up(cause),
        ) from None
    except (
        exceptions.SushyError,
        RequestException,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ) as cause:
        raise RedfishError(
            f"{what}: the Redfish service at {url} said something that makes no sense: {cause}"
        ) from None
