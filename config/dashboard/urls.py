"""The addresses of the dashboard, below the admin's own."""

from django.urls import path

from config.dashboard.acting.views import act_view
from config.dashboard.business.views import business_view, export_view
from config.dashboard.gamedays.views import file_view, gameday_view, gamedays_view
from config.dashboard.home.views import now_view, story_view
from config.dashboard.lab.views import experiment_view, lab_view
from config.dashboard.order.views import order_view
from config.dashboard.pages.events import events_view
from config.dashboard.pages.money import money_view
from config.dashboard.pages.sagas import sagas_view
from config.dashboard.pages.toolkit import toolkit_view
from config.dashboard.second_factor.views import setup_view

app_name = "dashboard"
urlpatterns = [
    path("act/<slug:name>/", act_view, name="act"),
    # In the place of the admin's own page, so that every link to an order leads here.
    path("orders/order/<uuid:order_id>/change/", order_view, name="order"),
    path("sagas/", sagas_view, name="sagas"),
    path("money/", money_view, name="money"),
    path("toolkit/", toolkit_view, name="toolkit"),
    path("events/", events_view, name="events"),
    path("second-factor/", setup_view, name="second-factor"),
    path("gamedays/", gamedays_view, name="gamedays"),
    path("gamedays/<str:name>/", gameday_view, name="gameday"),
    path("gamedays/<str:name>/<str:file>", file_view, name="gameday-file"),
    path("now.json", now_view, name="now"),
    path("story.json", story_view, name="story"),
    path("business/", business_view, name="business"),
    path("business/<str:report>/", business_view, name="report"),
    path("business/<str:report>/export", export_view, name="report-export"),
    path("lab/", lab_view, name="lab"),
    path("lab/<str:name>/", experiment_view, name="experiment"),
]
