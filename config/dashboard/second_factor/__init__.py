"""A code from a person's own device beside the password: asked for at sign-in, set up on a page.

Where it is required (settings.SECOND_FACTOR_REQUIRED), who has none yet sees the page that sets it up and
nothing else.
"""
