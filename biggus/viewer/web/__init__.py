"""A web page that shows an array, served on this machine."""
