"""The demonstration: a planet, an ocean and a climate as lazy arrays, and their statistics."""
