"""The control plane and the data plane of REST APIs (version 1)."""
