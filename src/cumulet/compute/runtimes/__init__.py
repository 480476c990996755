"""What each runtime needs: how it is found and started (here), and what runs inside (`inside/`)."""
