"""What happened to messages, and what to make of it."""
