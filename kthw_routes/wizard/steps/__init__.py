"""The steps, in the order in which they are walked."""

from typing import Final

from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.steps.checks import ChecksStep
from kthw_routes.wizard.steps.nodes import NodesStep
from kthw_routes.wizard.steps.proof import ProofStep
from kthw_routes.wizard.steps.routes import RoutesStep
from kthw_routes.wizard.steps.run import RunStep
from kthw_routes.wizard.steps.source import SourceStep

STEPS: Final[tuple[type[StepScreen], ...]] = (SourceStep, NodesStep, ChecksStep, RoutesStep, RunStep, ProofStep)
