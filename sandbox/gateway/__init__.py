"""The data plane in a box: one Envoy, configured by files from Services, Ingresses and Istio objects."""
