"""What has to be in the DNS for mail of a sender domain, and whether it is there."""
