"""The operator's calls about images: publish, choose, pin, remove."""

import asyncio
from typing import Annotated

from litestar import delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from bootos.server.auth import Caller, read_actor
from bootos.server.body import SizedRequest
from bootos.server.context import Context
from bootos.server.image.upload import FileState
from bootos.server.operation import image as operation
from bootos.server.operation.image import NewImage, NewPin, Publication
from bootos.server.parameter import Offset, RowId
from bootos.server.view import image as view
from bootos.server.view.image import ImageView, PinsView, PinView, UploadView


def build_image_calls(context: Context) -> list[HTTPRouteHandler]:
    """The handlers of `/images` and `/pins`."""
    store = context.store

    @get("/images", sync_to_thread=True)
    def list_images() -> list[ImageView]:
        with store.read() as session:
            return view.view_images(context, session)

    @get("/images/{version:str}", sync_to_thread=True)
    def show_image(version: FromPath[str]) -> ImageView:
        with store.read() as session:
            return view.find_image_view(context, session, version)

    @post("/images", sync_to_thread=True, status_code=200)
    def begin_upload(data: JSONBody[NewImage]) -> UploadView:
        return operation.begin_upload(context, data)

    @put("/images/{version:str}/files", status_code=200, request_class=SizedRequest)
    async def write_piece(
        request: SizedRequest,
        version: FromPath[str],
        name: Annotated[str, QueryParameter()],
        offset: Offset,
    ) -> FileState:
        content = await request.body()
        return await asyncio.to_thread(operation.write_piece, context, version, name, offset, content)

    @post("/images/{version:str}/publish", sync_to_thread=True, status_code=200)
    def publish(version: FromPath[str], data: JSONBody[Publication], request: Caller) -> ImageView:
        return operation.publish_image(context, read_actor(request), version, data)

    @post("/images/{version:str}/default", sync_to_thread=True, status_code=200)
    def choose_default(version: FromPath[str], request: Caller) -> ImageView:
        return operation.make_default(context, read_actor(request), version)

    @post("/images/rollback", sync_to_thread=True, status_code=200)
    def roll_back(request: Caller) -> ImageView:
        return operation.roll_back(context, read_actor(request))

    @delete("/images/{version:str}", sync_to_thread=True, status_code=204)
    def remove_image(version: FromPath[str], request: Caller) -> None:
        operation.remove_image(context, read_actor(request), version)

    @get("/pins", sync_to_thread=True)
    def list_pins() -> list[PinView]:
        with store.read() as session:
            return view.list_pins(session)

    @post("/pins", sync_to_thread=True)
    def add_pin(data: JSONBody[NewPin], request: Caller) -> PinsView:
        return operation.add_pin(context, read_actor(request), data)

    @delete("/pins/{pin:int}", sync_to_thread=True, status_code=204)
    def remove_pin(pin: RowId, request: Caller) -> None:
        operation.remove_pin(context, read_actor(request), pin)

    return [
        list_images,
        show_image,
        begin_upload,
        write_piece,
        publish,
        choose_default,
        roll_back,
        remove_image,
        list_pins,
        add_pin,
        remove_pin,
    ]
