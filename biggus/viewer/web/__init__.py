"""A small web page that shows an array: on this machine, to who has its address."""
