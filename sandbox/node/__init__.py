"""Node agents of the sandbox: one runs pods as local processes, one only plays them."""
