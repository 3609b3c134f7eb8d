"""kthw-routes: adds the pod routes of Kubernetes The Hard Way, lab 11, and proves that they work."""

__version__ = "0.1.0"
