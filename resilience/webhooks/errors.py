"""Why something about webhooks is refused."""

from resilience.errors import Refusal


class WebhookEndpointNotFoundError(Refusal):
    """There is no such endpoint, or it is another client's."""

    code = "webhook_endpoint_not_found"


class WebhookDeliveryNotFoundError(Refusal):
    """There is no such delivery, or it is another client's."""

    code = "webhook_delivery_not_found"


class WebhookEndpointExistsError(Refusal):
    """The client has an endpoint with this address."""

    code = "webhook_endpoint_exists"


class WebhookEndpointsExhaustedError(Refusal):
    """The client has as many endpoints as one may have."""

    code = "webhook_endpoints_exhausted"


class WebhookSecretsExhaustedError(Refusal):
    """More earlier secrets than may still sign."""

    code = "webhook_secrets_exhausted"


class WebhookEndpointDisabledError(Refusal):
    """The endpoint is turned off, so nothing can be sent to it."""

    code = "webhook_endpoint_disabled"
