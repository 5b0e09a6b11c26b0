"""From the queue to the next host."""
