"""The overlay: pods' packets in VXLAN between the nodes' internal addresses; its values, and its programs' words."""
