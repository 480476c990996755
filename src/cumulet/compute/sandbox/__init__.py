"""The supervisor, on Cumulet's own Python, and what it forks, on any from 3.8: run by path, without the rest of Cumulet."""
