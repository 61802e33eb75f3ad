"""The condition language of success and failure conditions."""
