"""Container images: a registry for them, and functions made of them."""
