"""Who is measured: each settles the same backlog in its own way."""
