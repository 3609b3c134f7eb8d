"""kthw-routes: adds the pod routes of Kubernetes The Hard Way, lab 11, and proves that they work."""

from typing import Final

__version__: Final = "0.1.0"
