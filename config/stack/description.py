"""A running stack, as tools (stack.json) and people (the terminal) are told of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from config.stack.network import Proxied
from config.stack.sandbox import Sandbox
from config.stack.servers import Servers
from config.stack.setup import Credentials


@dataclass(frozen=True)
class Stack:
    """What runs where, and how to get in."""

    web_url: str
    credentials: Credentials
    sandboxes: tuple[Sandbox, ...]
    servers: Servers
    environment: Mapping[str, str]
    control: str
    proxy: Proxied | None

    @property
    def admin_url(self) -> str:
        return f"{self.web_url}/admin/"


def for_tools(stack: Stack, *, processes: Mapping[str, list[int]]) -> dict[str, object]:
    """Return the content of stack.json as it is now; `environment` is what `manage.py` borrows."""
    addresses = stack.servers.addresses
    return {
        "web": {"url": stack.web_url},
        "api_key": stack.credentials.api_key,
        "admin": {
            "url": stack.admin_url,
            "username": stack.credentials.username,
            "password": stack.credentials.password,
        },
        "sandboxes": [
            {"name": one.name, "url": one.url, "secret_key": one.secret_key, "book": str(one.book)}
            for one in stack.sandboxes
        ],
        "databases": {"primary": addresses.primary, "replica": addresses.replica},
        "superusers": {
            "primary": addresses.superuser,
            "replica": stack.servers.cluster.follower.superuser_url,
        },
        "synchronous": stack.servers.cluster.synchronous,
        "redis": addresses.redis,
        "control": stack.control,
        "proxy": None
        if stack.proxy is None
        else {"control": stack.proxy.control_url, "routes": list(stack.proxy.names)},
        "processes": dict(processes),
        "environment": dict(stack.environment),
    }


def for_people(stack: Stack) -> str:
    key = stack.credentials.api_key
    return f"""
Holdfast is running.
  API docs  {stack.web_url}/api/docs
  Admin     {stack.admin_url}  as {stack.credentials.username}, password {stack.credentials.password}
  API key   {key}
  Sandbox   {", ".join(one.url for one in stack.sandboxes)}
{_proxy_line(stack)}  Stop      Ctrl-C, or `make down`

Place an order:
  curl {stack.web_url}/api/v1/orders -H 'Authorization: Bearer {key}' \\
    -H 'Content-Type: application/json' -H 'Idempotency-Key: my-first-order' -H 'Prefer: wait=10' \\
    -d '{{"customer": {{"reference": "me"}}, "currency": "EUR",
         "lines": [{{"sku": "CUP-STONE-2", "quantity": 1}}], "payments": [{{"method": "pm_card_visa"}}]}}'
"""


def _proxy_line(stack: Stack) -> str:
    if stack.proxy is None:
        return ""
    return f"  Proxy     {stack.proxy.control_url}/routes, a route for each pair of parts\n"
