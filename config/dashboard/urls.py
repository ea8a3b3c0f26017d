"""The addresses of the dashboard, below the admin's own."""

from django.urls import path

from config.dashboard.home.views import now_view, story_view
from config.dashboard.lab.views import experiment_view, lab_view

app_name = "dashboard"
urlpatterns = [
    path("now.json", now_view, name="now"),
    path("story.json", story_view, name="story"),
    path("lab/", lab_view, name="lab"),
    path("lab/<str:name>/", experiment_view, name="experiment"),
]
