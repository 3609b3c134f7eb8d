"""The help texts, shortened to what the model knows."""

from typing import Final

IP_USAGE: Final = """\
Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }
       ip [ -force ] -batch filename
where  OBJECT := { address | link | neighbour | netns | route | rule }
       OPTIONS := { -V[ersion] | -j[son] | -f[amily] { inet | inet6 } | -4 | -6 |
                    -br[ief] | -o[neline] | -b[atch] [filename] | -n[etns] name | -c[olor]}
"""

ROUTE_USAGE: Final = """\
Usage: ip route { list | flush } SELECTOR
       ip route get ADDRESS [ from ADDRESS iif STRING ] [ oif STRING ]
       ip route { add | del | change | append | replace } ROUTE
SELECTOR := [ root PREFIX ] [ match PREFIX ] [ exact PREFIX ]
            [ table TABLE_ID ] [ proto RTPROTO ] [ dev STRING ] [ via ADDRESS ]
ROUTE := NODE_SPEC [ INFO_SPEC ]
NODE_SPEC := [ TYPE ] PREFIX [ tos TOS ]
             [ table TABLE_ID ] [ proto RTPROTO ]
             [ scope SCOPE ] [ metric METRIC ]
INFO_SPEC := NH OPTIONS FLAGS [ nexthop NH ]...
NH := [ via [ FAMILY ] ADDRESS ] [ dev STRING ] [ weight NUMBER ] NHFLAGS
OPTIONS := FLAGS [ mtu NUMBER ] [ advmss NUMBER ] [ src ADDRESS ]
TYPE := { unicast | local | broadcast | multicast | throw |
          unreachable | prohibit | blackhole | nat }
TABLE_ID := [ local | main | default | all | NUMBER ]
SCOPE := [ host | link | global | NUMBER ]
NHFLAGS := [ onlink | pervasive ]
RTPROTO := [ kernel | boot | static | NUMBER ]
"""

ADDRESS_USAGE: Final = """\
Usage: ip address {add|change|replace} IFADDR dev IFNAME [ LIFETIME ]
       ip address del IFADDR dev IFNAME
       ip address [ show [ dev IFNAME ] [ scope SCOPE-ID ] [ to PREFIX ]
                         [ type TYPE ] [ up ] ]
IFADDR := PREFIX [ broadcast ADDR ] [ scope SCOPE-ID ]
SCOPE-ID := [ host | link | global | NUMBER ]
LIFETIME := [ valid_lft LFT ] [ preferred_lft LFT ]
LFT := forever | SECONDS
"""

LINK_USAGE: Final = """\
Usage: ip link add [ dev ] DEVICE [ address LLADDR ] [ mtu MTU ] type vxlan id NUMBER
               [ dstport PORT ] [ local ADDR ] [ [no]learning ]
       ip link del [ dev ] DEVICE
       ip link set [ dev ] DEVICE { up | down } [ mtu MTU ] [ address LLADDR ]
       ip link show [ DEVICE ] [ up ] [ type TYPE ]
"""

NETNS_USAGE: Final = """\
Usage:	ip netns list
	ip netns exec NAME cmd ...
"""
