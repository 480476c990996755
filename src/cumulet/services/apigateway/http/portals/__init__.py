"""Developer portals: products, their pages, and the portals that show them."""
