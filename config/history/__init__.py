"""A past made up, so that pages can be measured on as many rows as years would bring."""
