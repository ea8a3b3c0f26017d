"""gunicorn's settings: `gunicorn config.wsgi --config python:config.gunicorn`."""

# gthread with a door (docs/limits.md).
worker_class = "config.gunicorn_worker.Worker"
# A thread waits for the database most of its time; eight keep one core busy (docs/benchmarks.md).
workers = 2
threads = 8
# Connections that a worker holds: served, waiting and idle. It accepts all of them at once, so that they wait
# where it sees them, and not in the kernel.
worker_connections = 1000
# What the kernel holds until the worker has its turn; at 256, a crowd that came within 0.2 s overflowed it,
# and each that did tried again a second later.
backlog = 1024
# Idle client connections are kept this long, so that a client's next request needs no handshake.
keepalive = 15
# A worker that does not answer its master is stuck; a request that is being stopped may finish.
timeout = 60
graceful_timeout = 5
# Its own lines look like ours; access lines are left to the proxy in front, which sees what never came in.
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "config.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False}},
}
# Its socket lies in the home directory, where two stacks would share one.
control_socket_disable = True
