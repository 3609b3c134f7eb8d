"""The model of the nodes' network: kernels' tables, links, and the provider between them."""
