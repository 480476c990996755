"""Linux by system calls: used by the platform and, on any Python from 3.8, by what runs beside the functions."""
