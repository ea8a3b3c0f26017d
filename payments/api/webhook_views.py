"""Notices of gateways over HTTP: read, checked, stored, and only then acknowledged."""

import logging

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payments.errors import GatewayNotFoundError, WebhookSecretMissingError, WebhookSignatureInvalidError
from payments.gateways.errors import UnknownGatewayError
from payments.gateways.registry import webhook_secrets
from payments.gateways.signatures import Verdict, judge_signature
from payments.services.take_notice import take_notice
from resilience import clock
from resilience.rest.strict_json import read_object

logger = logging.getLogger(__name__)


@extend_schema(exclude=True)
class GatewayNoticeView(APIView):
    """Where one gateway account delivers its events; the signature is who it is, so there is no API key."""

    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request, gateway: str) -> Response:
        """Store the event in the body; a known one is acknowledged in the same words."""
        now = clock.now()
        secrets = _secrets_of(gateway)
        # The bytes as they came, for they are what was signed; bounded by the middleware.
        body = request._request.body
        verdict = judge_signature(
            header=request.META.get("HTTP_STRIPE_SIGNATURE", ""), body=body, secrets=secrets, now=now
        )
        if verdict is not Verdict.GENUINE:
            raise _refusal(gateway, verdict)
        # A card number is struck out of what is stored: refused, the gateway would repeat it for days.
        document = read_object(body, refuses_card_numbers=False)
        take_notice(gateway=gateway, document=document, now=now)
        return Response({"received": True})


def _secrets_of(gateway: str) -> tuple[str, ...]:
    try:
        return webhook_secrets(gateway)
    except UnknownGatewayError:
        raise GatewayNotFoundError("There is no gateway account of this name.") from None


def _refusal(gateway: str, verdict: Verdict) -> Exception:
    # Neither the header nor the body: both are a stranger's, or hold what must not be written down.
    logger.warning("A notice was refused.", extra={"gateway": gateway, "verdict": verdict.value})
    if verdict is Verdict.NOT_SET_UP:
        return WebhookSecretMissingError(
            "This account has no webhook secret, so nothing can be checked."
            " Set webhook_secrets in HOLDFAST_GATEWAYS."
        )
    return WebhookSignatureInvalidError(
        "The Stripe-Signature header does not fit the body, the account's secrets and the time."
    )
