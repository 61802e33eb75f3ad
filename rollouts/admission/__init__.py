"""Refusing wrong objects when they are applied: what is checked, and the certificate of the webhook."""
