"""The demonstration: a planet of map tiles, an ocean and a climate, each one lazy array."""
