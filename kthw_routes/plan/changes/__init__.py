"""What becomes of a host, row by row: a module a kind of change, and the plan that holds their rows."""

from kthw_routes.plan.changes.file import MAX_FILE as MAX_FILE
from kthw_routes.plan.changes.file import FileChange as FileChange
from kthw_routes.plan.changes.file import unread_file as unread_file
from kthw_routes.plan.changes.forwarding import FORWARDING as FORWARDING
from kthw_routes.plan.changes.forwarding import ForwardingChange as ForwardingChange
from kthw_routes.plan.changes.host import HostPlan as HostPlan
from kthw_routes.plan.changes.host import Plan as Plan
from kthw_routes.plan.changes.host import Planner as Planner
from kthw_routes.plan.changes.name import EtcHostsEdit as EtcHostsEdit
from kthw_routes.plan.changes.name import NameChange as NameChange
from kthw_routes.plan.changes.overlay import OverlayChange as OverlayChange
from kthw_routes.plan.changes.overlay import is_between as is_between
from kthw_routes.plan.changes.remains import Leftover as Leftover
from kthw_routes.plan.changes.remains import RollbackChange as RollbackChange
from kthw_routes.plan.changes.route import RouteChange as RouteChange
from kthw_routes.plan.changes.route import describe as describe
from kthw_routes.plan.changes.route import is_same_route as is_same_route
from kthw_routes.plan.changes.row import BY_PRUNE as BY_PRUNE
from kthw_routes.plan.changes.row import BY_REPAIR as BY_REPAIR
from kthw_routes.plan.changes.row import Change as Change
from kthw_routes.plan.changes.row import ChangeKind as ChangeKind
from kthw_routes.plan.changes.row import Detail as Detail
from kthw_routes.plan.changes.row import Noun as Noun
from kthw_routes.plan.changes.stated import StaleRoute as StaleRoute
from kthw_routes.plan.changes.stated import StatedFile as StatedFile
