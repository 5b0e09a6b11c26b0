"""Mail that comes to addresses of our own: bounces, complaints, reports. Never submissions."""
