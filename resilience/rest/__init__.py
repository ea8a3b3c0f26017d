"""Strict reading of requests: JSON, fields, query strings, cursor pages."""
