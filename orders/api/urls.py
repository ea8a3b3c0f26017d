"""Addresses of the orders API, below `/api/v1/`."""

from django.urls import path

from orders.api.catalogue_views import ProductsView, ProductView, StockView
from orders.api.timeline_views import OrderTimelineView
from orders.api.views import CancelOrderView, OrdersView, OrderView

urlpatterns = [
    path("orders", OrdersView.as_view(), name="orders"),
    path("orders/<uuid:order_id>", OrderView.as_view(), name="order"),
    path("orders/<uuid:order_id>/cancel", CancelOrderView.as_view(), name="order-cancel"),
    path("orders/<uuid:order_id>/timeline", OrderTimelineView.as_view(), name="order-timeline"),
    path("products", ProductsView.as_view(), name="products"),
    path("products/<str:sku>", ProductView.as_view(), name="product"),
    path("products/<str:sku>/stock", StockView.as_view(), name="product-stock"),
]
