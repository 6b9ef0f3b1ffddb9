"""The page of the images: what is published, what is the default, who runs what; two buttons. Used by `pages`."""

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from bootos.server.auth import Caller, read_actor
from bootos.server.context import Context
from bootos.server.operation import image
from bootos.server.store.machine import list_ids
from bootos.server.view.image import view_images
from bootos.server.web.render import Form, Page, Pages


def build_image_pages(context: Context, pages: Pages) -> list[HTTPRouteHandler]:
    """The handlers of `/images`."""

    @get("/images", sync_to_thread=True)
    def list_images(request: Caller) -> Page:
        with context.store.read() as session:
            images, ids = view_images(context, session), list_ids(session)
        require_signature = context.settings.require_signature
        return pages.render(
            request, "images.html", images=images, ids=ids, require_signature=require_signature
        )

    @post("/images/{version:str}/default", sync_to_thread=True)
    def choose_default(request: Caller, version: FromPath[str], data: Form) -> Redirect:
        pages.check_form(request, data)
        image.make_default(context, read_actor(request, "web"), version)
        return Redirect("/images", status_code=303)

    @post("/images/rollback", sync_to_thread=True)
    def roll_back(request: Caller, data: Form) -> Redirect:
        pages.check_form(request, data)
        image.roll_back(context, read_actor(request, "web"))
        return Redirect("/images", status_code=303)

    return [list_images, choose_default, roll_back]
