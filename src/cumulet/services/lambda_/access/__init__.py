"""Who may call a function, and as whom it runs."""
