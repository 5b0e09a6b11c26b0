"""What receivers ask of the connections on which mail comes to them, and whether it was so."""
