"""Decoding and checking the image of a tile.

Anything but a complete image of the expected size is an error: a page of text, a truncated
file, other dimensions, colours that the wanted bands cannot hold.  The size is read from the
header before anything is decoded, so that a small file cannot decompress to a huge one.
"""

from __future__ import annotations

import functools
import importlib
import io
import struct
import threading
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus.backends.tiles.jpeg import CutOffError, lengthened
from biggus.errors import BiggusError
from biggus.support.extras import needing
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile

_PNG = b"\x89PNG\r\n\x1a\n"
_SMALLEST = 8
"""The pixels of the smallest tiles; some servers send smaller images for missing tiles."""

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_PLUGINS = {"PNG": "Png", "JPEG": "Jpeg", "WEBP": "WebP", "GIF": "Gif"}
"""The first part of the name of Pillow's module, by format."""

_WARNINGS_LOCK = threading.Lock()


class ImageError(BiggusError, ValueError):
    """Bytes that are not the expected image."""


class BrokenImageError(ImageError):
    """Bytes that are not a complete image; another response may be."""


def decode_image(
    data: bytes, size: int, bands: int, dtype: np.dtype[Any], *, whole: bool = False
) -> npt.NDArray[Any]:
    """Decode a square image.

    Parameters
    ----------
    data : bytes
        A PNG, JPEG, WebP or GIF file.
    size : int
        The pixels that it must have along each axis.
    bands : int
        1 for grey, 3 for red, green and blue, 4 with alpha (255: opaque).
    dtype : dtype
        ``uint8``, or ``uint16`` with one band, which only a 16-bit PNG has.
    whole : bool, optional
        Whether the image is known to be complete; if not, a JPEG file is decoded twice to
        check that.

    Returns
    -------
    ndarray
        Of shape (size, size) for one band, else (size, size, bands); rows from the top, values
        as stored.  Grey, palette and missing alpha are converted to the wanted bands; colours
        are converted to fewer bands only if that changes no value.

    Raises
    ------
    ImageError
        If it is not such an image; `BrokenImageError` if it is not complete.
    MissingDependencyError
        If Pillow is not installed.
    """
    image = _opened(data)
    with image:
        if image.size != (size, size):
            width, height = image.size
            hint = f"; pass `tile_size={width}`" if width == height else ""
            if max(image.size) < _SMALLEST:
                hint = ": perhaps it stands for a tile that the server does not have"
            raise ImageError(f"the image is {width} x {height} pixels, not {size} x {size}{hint}")
        _check_depth(image, data, bands, dtype)
        _load(image)
        pixels = np.asarray(image)
        if image.format == "JPEG" and not whole:
            _check_jpeg(data, pixels)
        if dtype.itemsize == 2:
            return pixels.astype(np.uint16, copy=False)  # mode I has 16 bits in 32
        return _as_bands(image, pixels, bands)


def _opened(data: bytes) -> ImageFile:
    """Read the header, with the plug-in of Pillow for the first bytes.

    The plug-ins are used directly, for `PIL.Image.open` would try other formats too, and warn of
    sizes that are checked here.
    """
    with needing("PIL", "tiles", "decoding tiles"):
        from PIL import ImageFile
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise ImageError(
            "PIL.ImageFile.LOAD_TRUNCATED_IMAGES is set, with which truncated images would "
            "go unnoticed; unset it"
        )
    kind = _format(data)
    if kind is None:
        raise BrokenImageError(
            f"the body is not a PNG, JPEG, WebP or GIF image: it begins with {data[:16]!r}"
        )
    if kind == "PNG":
        _check_png(data)
    factory = _plugin_of(kind)
    try:
        if b"Exif\0\0" not in data[:4096]:
            return factory(io.BytesIO(data))
        # Ignore warnings of broken Exif data.  Warning filters are global, hence the lock.
        with between_forks(), _WARNINGS_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return factory(io.BytesIO(data))
    except Exception as error:
        raise BrokenImageError(f"the image cannot be decoded: {_reason(error)}") from error


def _check_png(data: bytes) -> None:
    """Verify the checksums of all chunks; Pillow skips those of pixels."""
    view = memoryview(data)
    start, kind = len(_PNG), b""
    while kind != b"IEND":
        if len(data) < start + 12:
            raise BrokenImageError("the PNG image is cut off")
        (length,) = struct.unpack_from(">I", data, start)
        kind = data[start + 4 : start + 8]
        stop = start + 8 + length
        if len(data) < stop + 4:
            raise BrokenImageError("the PNG image is cut off")
        (stated,) = struct.unpack_from(">I", data, stop)
        if zlib.crc32(view[start + 4 : stop]) != stated:
            raise BrokenImageError("the PNG image is damaged: a checksum is wrong")
        start = stop + 4


def _check_jpeg(data: bytes, pixels: npt.NDArray[Any]) -> None:
    """Raise an error for an incomplete image, whose missing part the decoder has made up."""
    try:
        longer = lengthened(data)
    except CutOffError as error:
        raise BrokenImageError(str(error)) from None
    if longer is None:
        return
    with _opened(longer) as other:
        _load(other)
        if not np.array_equal(pixels, np.asarray(other)):
            raise BrokenImageError(str(CutOffError("a part of its pixels")))


def is_image(data: bytes) -> bool:
    """Return whether `data` begins like an image of a known format."""
    return _format(data) is not None


def _format(data: bytes) -> str | None:
    if data.startswith(_PNG):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    return "GIF" if data.startswith((b"GIF87a", b"GIF89a")) else None


@functools.cache
def _plugin_of(kind: str) -> type[ImageFile]:
    name = _PLUGINS[kind]
    with between_forks():
        module = importlib.import_module(f"PIL.{name}ImagePlugin")
    plugin: type[ImageFile] = getattr(module, f"{name}ImageFile")
    return plugin


def _check_depth(image: Image.Image, data: bytes, bands: int, dtype: np.dtype[Any]) -> None:
    # Pillow silently reduces 16-bit colours to 8 bits, so the header is checked.
    deep = data.startswith(_PNG) and data[24:25] == b"\x10"
    if dtype.itemsize == 2:
        if not deep or image.mode not in {"I;16", "I"}:
            raise ImageError(
                f"the image is {'16' if deep else '8'}-bit {image.mode}, not 16-bit grey; "
                "pass `dtype='u1'`"
            )
    elif deep:
        grey = image.mode in {"I;16", "I"}
        hint = "pass `bands=1`, `dtype='u2'`" if grey else "16-bit colour cannot be read"
        raise ImageError(f"the image has 16 bits a band, more than uint8 holds; {hint}")
    elif image.mode not in {"1", "L", "LA", "P", "RGB", "RGBA"}:
        raise ImageError(f"the image has colours of mode {image.mode}, which cannot be read")
    elif bands == 1 and image.mode in {"RGB", "RGBA"}:
        raise ImageError(f"the image is {image.mode}, not grey; pass `bands={len(image.mode)}`")


def _load(image: Image.Image) -> None:
    try:
        image.load()
    except Exception as error:
        raise BrokenImageError(f"the image cannot be decoded: {_reason(error)}") from error


def _as_bands(image: Image.Image, pixels: npt.NDArray[Any], bands: int) -> npt.NDArray[Any]:
    mode = _MODES[bands]
    if image.mode == mode and "transparency" not in image.info:
        return pixels
    if "transparency" in image.info or image.mode in {"LA", "RGBA"}:
        values = np.asarray(image.convert("RGBA"))
        if bands == 4:
            return values
        if not (values[..., 3] == 255).all():
            raise ImageError("the image has transparent pixels; pass `bands=4`")
        colours = np.ascontiguousarray(values[..., :3])
    elif bands == 1 and image.mode == "1":
        return np.asarray(image.convert("L"))
    else:
        if bands == 4:
            return np.asarray(image.convert("RGBA"))
        colours = np.asarray(image.convert("RGB"))
    if bands == 3:
        return colours
    grey = colours[..., 0]
    if not (colours == grey[..., np.newaxis]).all():
        raise ImageError("the image is coloured, not grey; pass `bands=3`")
    return np.ascontiguousarray(grey)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
