"""The addresses of the dashboard, below the admin's own."""

from django.urls import path

from config.dashboard.business.views import business_view, export_view
from config.dashboard.home.views import now_view, story_view

app_name = "dashboard"
urlpatterns = [
    path("now.json", now_view, name="now"),
    path("story.json", story_view, name="story"),
    path("business/", business_view, name="business"),
    path("business/<str:report>/", business_view, name="report"),
    path("business/<str:report>/export", export_view, name="report-export"),
]
