"""The operator's calls about the server's certificate authority."""

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from bootos.server.auth import Caller, read_actor
from bootos.server.context import Context
from bootos.server.operation import ca
from bootos.server.operation.ca import Rotation
from bootos.server.view.ca import AuthorityView, view_authority


def build_ca_file(context: Context) -> HTTPRouteHandler:
    """The handler of `/ca.pem`, which needs no login: `bootos login` shows it before it has one."""

    @get("/ca.pem", sync_to_thread=False, include_in_schema=False)
    def show_ca_file() -> Response[str]:
        return Response(context.authority.pem, media_type="application/x-pem-file")

    return show_ca_file


def build_ca_calls(context: Context) -> list[HTTPRouteHandler]:
    """The handlers of `/ca`."""

    @get("/ca", sync_to_thread=False)
    def show_ca() -> AuthorityView:
        return view_authority(context)

    @post("/ca/rotate", sync_to_thread=True, status_code=200)
    def rotate_ca(data: JSONBody[Rotation], request: Caller) -> AuthorityView:
        return ca.rotate(context, read_actor(request), data)

    return [show_ca, rotate_ca]
