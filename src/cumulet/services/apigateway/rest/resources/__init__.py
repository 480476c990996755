"""The tree of an API: resources, their methods and integrations."""
