"""The WSGI entrance: `gunicorn config.wsgi`."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config.bodies import measure_chunked

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
_django = get_wsgi_application()

# Only now: they read rows over the pulse, so Django comes first.
from config.admission import turn_away  # noqa: E402
from resilience import telemetry  # noqa: E402
from resilience.health.backlogs import backlogs  # noqa: E402

application = turn_away(measure_chunked(_django, bytes_max=settings.BODY_BYTES_MAX))
telemetry.begin()
# Whoever asks what waits is answered by any web process, at the first question.
backlogs.is_wanted = True
