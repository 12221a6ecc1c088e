"""The HTTP service: a fitted model answers for anyone, and an event changes the very next answer."""
