"""Programs that the sandbox's pods run, and the catalogue that maps image names to them."""
