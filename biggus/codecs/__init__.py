"""Codecs: from the bytes of a stored chunk to the bytes of its values.

One codec a file, each a pure function of bytes that lets other threads run
while it works; `pipeline` undoes several of them, `scratch` keeps buffers for
each thread.  Nothing here knows of files, formats or arrays.
"""
