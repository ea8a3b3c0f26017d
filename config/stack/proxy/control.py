"""The control port: JSON over HTTP on the loopback address.

GET /routes lists them; PUT /routes/{name} sets a behaviour, whole; POST /routes/{name}/cut and /abandon act
on what is open; DELETE /faults lets every route pass.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from config.stack.proxy.behaviour import Behaviour, BehaviourError, parse_behaviour
from config.stack.proxy.route import Route


@dataclass(frozen=True)
class Control:
    """Shows and changes `routes`."""

    routes: Mapping[str, Route]

    def application(self) -> web.Application:
        """Return the application to be served."""
        application = web.Application()
        application.add_routes(
            [
                web.get("/routes", self._list),
                web.put("/routes/{name}", self._behave),
                web.post("/routes/{name}/cut", self._cut),
                web.post("/routes/{name}/abandon", self._abandon),
                web.delete("/faults", self._heal),
            ]
        )
        return application

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response({"routes": [route.shape() for route in self.routes.values()]})

    async def _behave(self, request: web.Request) -> web.Response:
        route = self._named(request)
        try:
            wish = await request.json()
            if not isinstance(wish, dict):
                raise BehaviourError("The body is a JSON object.")
            await route.behave(parse_behaviour(wish))
        except json.JSONDecodeError:
            return web.json_response({"error": "The body is no JSON."}, status=400)
        except BehaviourError as error:
            return web.json_response({"error": str(error)}, status=400)
        except OSError as error:
            return web.json_response({"error": f"Port {route.listens} was taken: {error}"}, status=409)
        return web.json_response(route.shape())

    async def _cut(self, request: web.Request) -> web.Response:
        return web.json_response({"cut": self._named(request).cut()})

    async def _abandon(self, request: web.Request) -> web.Response:
        return web.json_response({"abandoned": self._named(request).abandon()})

    async def _heal(self, _request: web.Request) -> web.Response:
        changed = [route.name for route in self.routes.values() if route.behaviour != Behaviour()]
        for route in self.routes.values():
            await route.behave(Behaviour())
        return web.json_response({"healed": changed})

    def _named(self, request: web.Request) -> Route:
        name = request.match_info["name"]
        route = self.routes.get(name)
        if route is None:
            known = ", ".join(self.routes)
            text = json.dumps({"error": f"There is no route {name}. There are: {known}."})
            raise web.HTTPNotFound(text=text, content_type="application/json")
        return route
