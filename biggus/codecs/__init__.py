"""Codecs: decoding the bytes of a stored chunk to the bytes of its values.

Each codec is a module with a pure function of bytes, which releases the GIL while it works.
`pipeline` undoes several codecs in turn, and `scratch` keeps a buffer for each thread.  Nothing
here knows of files, formats or arrays.
"""
