"""Writes whose picture it is into its lower right corner."""

import os

import pictures
from PIL import Image, ImageDraw, ImageFont

MARGIN = 8


def handler(event, context):
    pictures.each(event, marked)


def marked(picture):
    text = os.environ["TEXT"]
    font = ImageFont.load_default(max(10, picture.height // 20))
    left, top, right, bottom = font.getbbox(text)
    corner = (picture.width - right + left - MARGIN, picture.height - bottom + top - MARGIN)
    layer = Image.new("RGBA", picture.size)
    ImageDraw.Draw(layer).text((corner[0] - left, corner[1] - top), text, font=font, fill=(255, 255, 255, 160))
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")
