"""Bodies that announce no length (chunked): read up to the limit, then treated like all others.

Django takes a request without Content-Length for one without a body, and would act on half an order.
"""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def measure_chunked(application: Application, *, bytes_max: int) -> Application:
    """Wrap a WSGI application so that each chunked body has its Content-Length.

    At most one byte more than `bytes_max` is read; that byte makes the length tell what it is: too large.
    """

    def measured(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_TRANSFER_ENCODING" in environ:
            raw = environ["wsgi.input"].read(bytes_max + 1)
            environ["wsgi.input"] = BytesIO(raw)
            environ["CONTENT_LENGTH"] = str(len(raw))
        return application(environ, start_response)

    return measured
