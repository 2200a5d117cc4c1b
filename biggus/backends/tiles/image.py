"""Images: from the bytes of a tile to pixels that are surely the tile's.

Whatever is not the whole image of the expected size is an error: a page of
text, a file cut short, other dimensions, colours that the wanted bands
cannot hold.  The size is read from the header before anything is decoded, so
that a small file cannot unpack into a huge one.
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
"""Pixels; what is smaller is no tile, but what some servers send in the place of one."""

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_PLUGINS = {"PNG": "Png", "JPEG": "Jpeg", "WEBP": "WebP", "GIF": "Gif"}
"""By format, how the modules of Pillow that read it begin."""

_WARNINGS_LOCK = threading.Lock()


class ImageError(BiggusError, ValueError):
    """Bytes are not the image that was expected."""


class BrokenImageError(ImageError):
    """Bytes are no whole image: another time, they may be."""


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
        Whether it is known that no part of it is missing: of a JPEG file that is not told
        without decoding it once more.

    Returns
    -------
    ndarray
        Of shape (size, size) for one band, else (size, size, bands); rows from
        the top, values as stored.  Grey, palette and missing alpha are
        widened; nothing is narrowed that would change.

    Raises
    ------
    ImageError
        If it is not such an image, and whole; `BrokenImageError` if it is no whole image.
    MissingDependencyError
        If Pillow is not installed.
    """
    image = _opened(data)
    with image:
        if image.size != (size, size):
            width, height = image.size
            hint = f"; pass tile_size={width}" if width == height else ""
            if max(image.size) < _SMALLEST:
                hint = ": it stands for a tile that the server does not have, perhaps"
            raise ImageError(f"the image is {width} x {height} pixels, not {size} x {size}{hint}")
        _check_depth(image, data, bands, dtype)
        _load(image)
        if image.format == "JPEG" and not whole:
            _check_jpeg(data, image)
        if dtype.itemsize == 2:
            return _deep(image)
        return _as_bands(image, bands)


def _opened(data: bytes) -> ImageFile:
    """Read the header, with the plug-in that the first bytes call for.

    The plug-ins are used directly: `PIL.Image.open` would try formats that no
    tile has, and warns of sizes that are checked here.
    """
    with needing("PIL", "tiles", "decoding tiles"):
        from PIL import ImageFile
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise ImageError(
            "PIL.ImageFile.LOAD_TRUNCATED_IMAGES is set, with which a cut-off image would "
            "pass for a whole one; unset it"
        )
    factory = _plugin(data)
    if data.startswith(_PNG):
        _check_png(data)
    if factory is None:
        raise BrokenImageError(
            f"the body is no PNG, JPEG, WebP or GIF image: it begins {data[:16]!r}"
        )
    try:
        if b"Exif\0\0" not in data[:4096]:
            return factory(io.BytesIO(data))
        # Broken Exif data, of no interest here, is warned of.  Filters are
        # common to all threads, hence the lock.
        with _WARNINGS_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return factory(io.BytesIO(data))
    except Exception as error:
        raise BrokenImageError(f"the image cannot be decoded: {_said(error)}") from error


def _check_png(data: bytes) -> None:
    """Check the sums of all chunks, which Pillow skips for those that hold pixels."""
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


def _check_jpeg(data: bytes, image: Image.Image) -> None:
    """Refuse an image of which a part is missing, for which the decoder made something up."""
    try:
        longer = lengthened(data)
    except CutOffError as error:
        raise BrokenImageError(str(error)) from None
    if longer is None:
        return
    with _opened(longer) as other:
        _load(other)
        if not np.array_equal(np.asarray(image), np.asarray(other)):
            raise BrokenImageError(str(CutOffError("a part of its pixels")))


def is_image(data: bytes) -> bool:
    """Tell whether `data` begins as an image does of a format that tiles have."""
    return _format(data) is not None


def _format(data: bytes) -> str | None:
    if data.startswith(_PNG):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    return "GIF" if data.startswith((b"GIF87a", b"GIF89a")) else None


def _plugin(data: bytes) -> type[ImageFile] | None:
    kind = _format(data)
    return None if kind is None else _plugin_of(kind)


@functools.cache
def _plugin_of(kind: str) -> type[ImageFile]:
    name = _PLUGINS[kind]
    with between_forks():
        module = importlib.import_module(f"PIL.{name}ImagePlugin")
    found: type[ImageFile] = getattr(module, f"{name}ImageFile")
    return found


def _check_depth(image: Image.Image, data: bytes, bands: int, dtype: np.dtype[Any]) -> None:
    # Pillow halves 16-bit colours without a word: the header tells.
    deep = data.startswith(_PNG) and data[24:25] == b"\x10"
    if dtype.itemsize == 2:
        if not deep or image.mode not in {"I;16", "I"}:
            raise ImageError(
                f"the image is {'16' if deep else '8'}-bit {image.mode}, not 16-bit grey; "
                "pass dtype='u1'"
            )
    elif deep:
        grey = image.mode in {"I;16", "I"}
        hint = "pass bands=1, dtype='u2'" if grey else "16-bit colour cannot be read"
        raise ImageError(f"the image has 16 bits a band, more than uint8 holds; {hint}")
    elif image.mode not in {"1", "L", "LA", "P", "RGB", "RGBA"}:
        raise ImageError(f"the image has colours of mode {image.mode}, which cannot be read")
    elif bands == 1 and image.mode in {"RGB", "RGBA"}:
        raise ImageError(f"the image is {image.mode}, not grey; pass bands={len(image.mode)}")


def _load(image: Image.Image) -> None:
    try:
        image.load()
    except Exception as error:
        raise BrokenImageError(f"the image cannot be decoded: {_said(error)}") from error


def _deep(image: Image.Image) -> npt.NDArray[Any]:
    values = np.asarray(image)
    if values.dtype == np.uint16:
        return values
    return values.astype(np.uint16)  # mode I holds the 16 bits in 32


def _as_bands(image: Image.Image, bands: int) -> npt.NDArray[Any]:
    mode = _MODES[bands]
    if image.mode == mode and "transparency" not in image.info:
        return np.asarray(image)
    if "transparency" in image.info or image.mode in {"LA", "RGBA"}:
        values = np.asarray(image.convert("RGBA"))
        if bands == 4:
            return values
        if not (values[..., 3] == 255).all():
            raise ImageError("the image has transparent pixels; pass bands=4")
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
        raise ImageError("the image is coloured, not grey; pass bands=3")
    return np.ascontiguousarray(grey)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
