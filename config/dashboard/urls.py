"""The addresses of the dashboard, below the admin's own."""

from django.urls import path

from config.dashboard.home.views import now_view, story_view

app_name = "dashboard"
urlpatterns = [
    path("now.json", now_view, name="now"),
    path("story.json", story_view, name="story"),
]
