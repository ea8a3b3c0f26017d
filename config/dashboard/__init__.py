"""What operators see and steer: pages in the admin, above the rooms, that hold nothing of their own."""
