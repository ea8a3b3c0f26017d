"""The two database aliases, as settings.DATABASES names them."""

PRIMARY = "default"
REPLICA = "replica"
