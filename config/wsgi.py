"""The WSGI entrance: `gunicorn config.wsgi`."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config.bodies import measure_chunked

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = measure_chunked(get_wsgi_application(), bytes_max=settings.BODY_BYTES_MAX)

# Only now: Django is set up.
from resilience import telemetry  # noqa: E402

telemetry.begin()
