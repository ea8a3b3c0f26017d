"""The addresses of payments and refunds, below /api/v1."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
