"""The addresses of orders and products, below /api/v1."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
