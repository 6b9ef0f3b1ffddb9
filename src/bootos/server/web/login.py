"""The login with the operator token, and its end. Used by `pages`."""

from typing import Any

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery
from litestar.response import Redirect

from bootos.server import auth
from bootos.server.auth import Caller
from bootos.server.web.render import Form, Page, Pages, safe_next


def build_login_pages(pages: Pages) -> list[HTTPRouteHandler]:
    """The handlers of `/login` and `/logout`."""

    @get("/login", sync_to_thread=False)
    def show_login(request: Caller, next: FromQuery[str] = "/") -> Page:
        return pages.render(request, "login.html", next=safe_next(next), wrong=False)

    @post("/login", sync_to_thread=False, status_code=200)
    def log_in(request: Caller, data: Form) -> Response[Any]:
        target = safe_next(data.get("next", "/"))
        if not auth.is_same(data.get("token", "").strip(), pages.token):
            return pages.render(request, "login.html", status=403, next=target, wrong=True)
        cookie = Cookie(
            auth.COOKIE,
            value=auth.build_cookie(pages.token),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            max_age=auth.COOKIE_AGE_S,
        )
        return Redirect(target, status_code=303, cookies=[cookie])

    @post("/logout", sync_to_thread=False)
    def log_out(request: Caller, data: Form) -> Redirect:
        pages.check_form(request, data)
        gone = Cookie(auth.COOKIE, value="", max_age=0, httponly=True, samesite="strict")
        return Redirect("/login", status_code=303, cookies=[gone])

    return [show_login, log_in, log_out]
