"""Pages of what is now, each of one kind of thing: sagas, money, the toolkit, events."""
