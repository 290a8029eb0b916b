"""A client of an application in the same process, for tests that send many requests."""

import sys
from collections.abc import AsyncIterator

import httpx2
from fastapi.testclient import TestClient
from starlette.types import ASGIApp

# httpx2 imports this package in each request. It is not installed, and to look for it takes as long as an answer.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type] # None says that there is no such module


class ApplicationClient(TestClient):
    """A `TestClient` that reads an answer to its end with one call into the event loop.

    `TestClient` makes eight calls, one after the other, for each request. They take longer than most answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, raise_server_exceptions=False)
        self._transport = _Transport(self)


class _RequestBody(httpx2.AsyncByteStream):
    """The body of a request, of which nothing is read before the application does."""

    def __init__(self, request: httpx2.Request) -> None:
        self.request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert isinstance(self.request.stream, httpx2.SyncByteStream)
        for chunk in self.request.stream:
            yield chunk


class _Transport(httpx2.BaseTransport):
    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.transport = httpx2.ASGITransport(client.app, raise_app_exceptions=False, client=("testclient", 50000))

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        assert self.client.portal is not None, "the client is not open"
        return self.client.portal.call(self._answer, request)

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        sent = httpx2.Request(request.method, request.url, headers=request.headers, stream=_RequestBody(request))
        answer = await self.transport.handle_async_request(sent)
        assert isinstance(answer.stream, httpx2.AsyncByteStream)
        body = b"".join([chunk async for chunk in answer.stream])
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=httpx2.ByteStream(body))
