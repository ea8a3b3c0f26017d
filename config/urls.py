"""Every address of the platform."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerView

from config.dashboard.second_factor.signing_in import SignInForm, sign_in
from config.schema import SchemaView

handler400 = "config.error_views.bad_request"
handler403 = "config.error_views.permission_denied"
handler404 = "config.error_views.not_found"
handler500 = "config.error_views.server_error"

admin.site.site_header = admin.site.site_title = "Holdfast"
admin.site.index_template = "dashboard/home.html"
admin.site.login_template = "dashboard/sign_in.html"
admin.site.login_form = SignInForm

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="docs")),
    path("api/v1/", include("orders.api.urls")),
    path("api/v1/", include("payments.api.urls")),
    path("api/v1/", include("analytics.api.urls")),
    path("api/v1/", include("resilience.events.urls")),
    path("api/v1/", include("resilience.webhooks.urls")),
    path("api/v1/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("", include("payments.api.webhook_urls")),
    # In the place of the admin's own, by whose name it is still called.
    path("admin/login/", sign_in),
    path("admin/", include("config.dashboard.urls")),
    path("admin/", admin.site.urls),
    path("", include("resilience.health.urls")),
    path("", include("resilience.telemetry.urls")),
]
