"""A session to one host. Only this package, and the embedded lab, know fabric and paramiko."""
