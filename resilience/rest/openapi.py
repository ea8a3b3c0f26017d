"""Headers of the API as its OpenAPI document describes them; a view names them in `header_parameters`."""

from drf_spectacular.utils import OpenApiParameter

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    required=True,
    description="A name of yours for this request. Sent again with the same body, it gets the stored "
    "answer and `Idempotency-Replayed: true`, and nothing is done twice.",
)
CONSISTENCY_TOKEN = OpenApiParameter(
    "Consistency-Token",
    str,
    OpenApiParameter.HEADER,
    description="The token of an earlier answer: this read sees at least that write.",
)
