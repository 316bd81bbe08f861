"""What the end-to-end tests share: a real paddockd, and ways to talk to it."""
