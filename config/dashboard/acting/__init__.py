"""What a person may do from the dashboard: each says what follows, wants a reason, and is written down."""
