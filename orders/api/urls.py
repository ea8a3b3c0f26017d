"""Addresses of the orders API, below `/api/v1/`."""

from django.urls import path

from orders.api.cached import kept_order, kept_product
from orders.api.catalogue_views import ProductsView, ProductView, StockView
from orders.api.timeline_views import OrderTimelineView
from orders.api.views import CancelOrderView, OrdersView, OrderView
from resilience.rest.kept import answered_early

urlpatterns = [
    path("orders", OrdersView.as_view(), name="orders"),
    path("orders/<uuid:order_id>", answered_early(OrderView, kept_order), name="order"),
    path("orders/<uuid:order_id>/cancel", CancelOrderView.as_view(), name="order-cancel"),
    path("orders/<uuid:order_id>/timeline", OrderTimelineView.as_view(), name="order-timeline"),
    path("products", ProductsView.as_view(), name="products"),
    path("products/<str:sku>", answered_early(ProductView, kept_product), name="product"),
    path("products/<str:sku>/stock", StockView.as_view(), name="product-stock"),
]
