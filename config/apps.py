from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """The process itself, as an app: it owns the commands that put the parts together."""

    name = "config"
