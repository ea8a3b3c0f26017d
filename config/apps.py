from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """The process itself, as an app: it owns the commands that put the parts together."""

    name = "config"

    def ready(self) -> None:
        from config.audit import checks  # noqa: F401 - importing registers them
        from config.logs import configure_structlog

        configure_structlog()
