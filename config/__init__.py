"""How the process is put together: settings, urls, Celery, problem+json, the embedded stack."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
