"""For authors of backends, and for biggus's own tests."""
