"""The supervisor and what it forks: runs by path on any Python from 3.9, without the rest of Cumulet."""
