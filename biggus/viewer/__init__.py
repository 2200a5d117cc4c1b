"""Pictures of arrays of any size: only what is on the screen is read."""

from biggus.viewer.plotting import imshow

__all__ = ["imshow"]
