from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class ResilienceConfig(AppConfig):
    name = "resilience"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # What each app measures is declared there, and known before anything is counted.
        autodiscover_modules("metrics")
        from resilience import checks  # noqa: F401 - importing registers them
        from resilience.deadlines import database
        from resilience.health import platform  # noqa: F401 - the same
        from resilience.limits import report  # noqa: F401 - importing lets it tell what this process limits
        from resilience.webhooks import events, flags, health, subscriptions  # noqa: F401 - the same

        database.install()
