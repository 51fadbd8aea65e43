"""Faults: what breaks under a diff (networks, servers, disks, people), and who tries to break it."""
