"""What went wrong with a Redfish service, in words: every error of sushy and requests becomes a `RedfishError`."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import BadStatusLine

from bootos.drivers.contract import DriverError
from bootos.drivers.redfish.bound import BoundError
from bootos.drivers.redfish.reply import read_messages

MOST_SAID = 2000  # characters of what a service says


class RedfishError(DriverError):
    """The service refused a request; `status` is HTTP's, 0 when it did not answer; `dropped`: it hung up; `foreign`: it
    was not asked, as the address is none of a service; `unreadable`: it
    sent what is no answer, more than it may, or for longer; `silent`: it took the request, and said nothing more."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        hint: str = "",
        dropped: bool = False,
        foreign: bool = False,
        unreadable: bool = False,
        silent: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.dropped = dropped
        self.foreign = foreign
        self.unreadable = unreadable
        self.silent = silent


def _list_causes(cause: BaseException) -> Iterator[BaseException]:
    """An error and those below it. Each library on the way wraps the error of the one below, as its cause or among its
    arguments."""
    todo: list[object] = [cause]
    seen: set[int] = set()
    while todo:
        error = todo.pop()
        if isinstance(error, BaseException) and id(error) not in seen:
            yield error
            seen.add(id(error))
            todo += [error.__cause__, error.__context__, *error.args]


def _has_hung_up(cause: BaseException) -> bool:
    """Whether the service ended the connection: it reset it, closed it, or began no answer."""
    ends = ConnectionResetError | ConnectionAbortedError | BrokenPipeError | BadStatusLine
    return any(isinstance(error, ends) for error in _list_causes(cause))


def _has_fallen_silent(cause: BaseException) -> bool:
    """Whether nothing came for as long as the service may say nothing, on a connection that there is."""
    from urllib3.exceptions import ReadTimeoutError

    return any(isinstance(error, ReadTimeoutError) for error in _list_causes(cause))


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
    from requests.exceptions import ChunkedEncodingError, ContentDecodingError, RequestException
    from sushy import exceptions

    senseless = f"{what}: the Redfish service at {url} said something that makes no sense"
    try:
        yield
    except exceptions.AccessError as cause:
        told = read_messages(cause.body) if cause.status_code == 403 and isinstance(cause.body, dict) else []
        raise RedfishError(
            f"{what}: the Redfish service at {url} refuses {user!r}"
            + "".join(f": {text[:MOST_SAID]}" for text in told[:1]),
            status=cause.status_code,
            hint="user, password and role of oob.redfish; after some failures a BMC refuses everybody for minutes",
        ) from None
    except exceptions.HTTPError as cause:
        said = "; ".join(read_messages(cause.body if isinstance(cause.body, dict) else {}))
        detail = (said or str(getattr(cause, "detail", "")) or "it does not say why")[:MOST_SAID]
        message = f"{what}: the Redfish service refused it ({cause.status_code}): {detail}"
        raise RedfishError(message, status=cause.status_code) from None
    except (exceptions.ConnectionError, BoundError) as cause:
        for error in _list_causes(cause):
            if isinstance(error, BoundError):
                raise RedfishError(
                    f"{what}: the Redfish service at {url}: {error}", unreadable=True
                ) from None
            if isinstance(error, ChunkedEncodingError | ContentDecodingError) and not _has_hung_up(cause):
                raise RedfishError(f"{senseless}: {error}", unreadable=True) from None
        raise RedfishError(
            f"{what}: the Redfish service at {url} does not answer: {cause}",
            hint=_advise(cause),
            dropped=_has_hung_up(cause),
            silent=_has_fallen_silent(cause),
        ) from None
    except (
        exceptions.SushyError,
        RequestException,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as cause:
        raise RedfishError(f"{senseless}: {str(cause)[:MOST_SAID]}", unreadable=True) from None
