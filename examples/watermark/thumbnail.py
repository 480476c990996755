"""Makes pictures small."""

import pictures
from PIL import Image

SIZE = (128, 128)


def handler(event, context):
    pictures.each(event, small)


def small(picture):
    picture.thumbnail(SIZE, Image.Resampling.LANCZOS)
    return picture
