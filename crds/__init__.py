"""The API: models of our custom resources and the CRDs generated from them. Imports nothing of ours."""
