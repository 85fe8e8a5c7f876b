"""What is said to a client that cannot have what it asks for, in OpenAI's shape."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse

from planish.errors import PlanishError

TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}


class Refusal(Exception):  # noqa: N818 - it is an answer like any other
    """An HTTP status and why.

    `param` names the field of the request that is off, `code` is a word for programs to look at.
    """

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.headers = headers

    @property
    def body(self) -> dict[str, object]:
        """OpenAI's error object."""
        fallback = "server_error" if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
        error = {"message": self.message, "type": TYPES.get(self.status, fallback)}
        return {"error": {**error, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The refusal as an answer."""
        return JSONResponse(self.body, self.status, self.headers)


def bad_request(error: PlanishError, param: str | None = None) -> Refusal:
    """What the user of the command line would read, for a client."""
    hint = f" ({error.hint})" if error.hint else ""
    return Refusal(HTTPStatus.BAD_REQUEST, error.message + hint, param)
