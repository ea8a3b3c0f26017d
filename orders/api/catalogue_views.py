"""The catalogue over HTTP."""

from typing import ClassVar

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orders.api import representations, shapes
from orders.api.cached import kept_product, kept_product_page
from orders.errors import ProductNotFoundError
from orders.services.adjust_stock import adjust_stock
from orders.services.put_product import put_product
from resilience import clock
from resilience.apikeys.authentication import principal_of
from resilience.idempotency.answer import Answer
from resilience.idempotency.idempotent import idempotent
from resilience.rest.kept import answer_kept
from resilience.rest.openapi import CONSISTENCY_TOKEN, IDEMPOTENCY_KEY
from resilience.rest.pagination import PARAMETERS, read_page
from resilience.rest.query import query_parameters


@method_decorator(conditional_page, name="dispatch")
class ProductsView(APIView):
    """The catalogue."""

    required_permissions: ClassVar = {"GET": "orders.read"}
    header_parameters: ClassVar = {"GET": [CONSISTENCY_TOKEN]}

    @extend_schema(
        operation_id="listProducts",
        responses={200: shapes.ProductPage},
        parameters=[OpenApiParameter("cursor", str), OpenApiParameter("limit", int)],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the products by SKU."""
        parameters = query_parameters(request, allowed=PARAMETERS)
        client = principal_of(request).client
        wanted = read_page(request, client=client, parameters=parameters)
        body = kept_product_page(client, wanted).body()
        if body is None:
            raise AssertionError("an empty page is a page")
        return answer_kept(request, body)


@method_decorator(conditional_page, name="dispatch")
class ProductView(APIView):
    """One product."""

    required_permissions: ClassVar = {"GET": "orders.read", "PUT": "catalogue.write"}
    header_parameters: ClassVar = {"GET": [CONSISTENCY_TOKEN]}

    @extend_schema(operation_id="getProduct", responses={200: shapes.Product})
    def get(self, request: Request, sku: str) -> HttpResponseBase:
        """Show a product with its stock."""
        body = kept_product(principal_of(request).client, sku).body()
        if body is None:
            raise ProductNotFoundError(f"There is no product {sku}.")
        return answer_kept(request, body)

    @extend_schema(
        operation_id="putProduct",
        request=shapes.ProductRequest,
        responses={200: shapes.Product, 201: shapes.Product},
    )
    def put(self, request: Request, sku: str) -> Response:
        """Put a product into the catalogue, or change its name and price; its stock stays as it is."""
        shapes.read_sku(sku)
        asked = shapes.ProductRequest.read(request.data)
        put = put_product(
            sku=sku,
            name=asked["name"],
            price_minor=asked["price"]["amount"],
            currency=asked["price"]["currency"],
            now=clock.now(),
        )
        return Response(representations.product(put.product), status=201 if put.is_new else 200)


class StockView(APIView):
    """The stock of a product."""

    required_permissions: ClassVar = {"POST": "catalogue.write"}
    header_parameters: ClassVar = {"POST": [IDEMPOTENCY_KEY]}

    @extend_schema(operation_id="adjustStock", request=shapes.StockRequest, responses={200: shapes.Product})
    def post(self, request: Request, sku: str) -> HttpResponse:
        """Count pieces in (or out, when negative). Never below what orders hold."""
        by = shapes.StockRequest.read(request.data)["adjust"]
        return idempotent(
            request,
            perform=lambda: Answer.of_document(
                representations.product(adjust_stock(sku=sku, by=by)), status=200
            ),
        )
