from typing import Any

import httpx2

class OAuthError(Exception):
    error: str | None

class AsyncOAuth2Client(httpx2.AsyncClient):
    def __init__(
        self,
        client_id: str | None = None,
        client_secret: str | None = None,
        token_endpoint_auth_method: str | None = None,
        *,
        scope: str | None = None,
        redirect_uri: str | None = None,
        code_challenge_method: str | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        timeout: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None: ...
    def create_authorization_url(
        self, url: str, state: str | None = None, code_verifier: str | None = None, **kwargs: Any
    ) -> tuple[str, str]: ...
    async def fetch_token(self, url: str, *, code: str, code_verifier: str) -> dict[str, Any]: ...
