"""Where gateways tell us of what happened; below the root, because no client of the API calls it."""

from django.urls import path

from payments.api.webhook_views import GatewayNoticeView

urlpatterns = [path("webhooks/<str:gateway>", GatewayNoticeView.as_view(), name="gateway-notice")]
