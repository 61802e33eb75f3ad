"""Data files of the API server, and the script that writes them."""
