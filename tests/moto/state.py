"""Everything that the launcher adds to moto's own world, in one object that `/_h/reset` replaces.

moto keeps instances, images, target groups and parameters; what it cannot express (a boot in progress, an impaired
check, a scheduled event, a health override, a fault, a recorded call) lives here. One lock guards both worlds: moto
itself is not thread-safe, and a test wants one order of effects that it can name afterwards.
"""

import threading
from dataclasses import dataclass, field

DEFAULT_REGION = "eu-west-2"
DEFAULT_ACCOUNT = "123456789012"

# Re-entrant, because control routes call each other's helpers.
LOCK = threading.RLock()


@dataclass
class Mode:
    """How the world moves. Counts are answers: the boot shows `pending` in so many DescribeInstances answers."""

    auto: bool = True  # describes advance state machines; otherwise only /_h/tick does
    boot_describes: int = 1  # DescribeInstances answers that still show pending, or stopping
    initial_describes: int = (
        1  # DescribeTargetHealth answers showing initial; DescribeInstanceStatus: initializing
    )
    draining_describes: int = 1  # DescribeTargetHealth answers in which a deregistered target still drains
    page_size: int = 0  # no page is larger than this; 0: as AWS (1000)


@dataclass
class ImageRecord:
    """What DescribeInstanceImageMetadata still knows of an image, whatever became of it since."""

    name: str | None = None
    owner_id: str | None = None
    creation_date: str | None = None
    state: str = "available"
    allowed: bool = True
    public: bool = False
    deprecation_time: str | None = None
    shared: bool = True  # False: made private by a foreign owner, so DescribeImages no longer shows it to us


@dataclass
class Principal:
    """Who an access key is, for the policy check: the policies are parsed JSON documents."""

    arn: str
    policies: list[dict]


@dataclass
class Hook:
    """How the webhook receiver answers: ok, error (500), redirect (302 to `location`), or hang."""

    mode: str = "ok"
    location: str = ""


@dataclass
class State:
    mode: Mode = field(default_factory=Mode)
    # Instance id -> DescribeInstances answers left in pending or stopping.
    transit: dict[str, int] = field(default_factory=dict)
    # Instance id -> DescribeInstanceStatus answers left in initializing.
    initializing: dict[str, int] = field(default_factory=dict)
    # Instance id -> {"system": status, "instance": status, "since": time}
    checks: dict[str, dict] = field(default_factory=dict)
    # Instance id -> event id -> event as DescribeInstanceStatus shows it
    events: dict[str, dict[str, dict]] = field(default_factory=dict)
    # Instance id -> {"outcome": ..., "code": ..., ...}
    start_outcomes: dict[str, dict] = field(default_factory=dict)
    # The same for every instance that is launched from an image, by the image's id
    launch_outcomes: dict[str, dict] = field(default_factory=dict)
    # Instances that were launched and have not run yet: a boot that fails ends them.
    launching: set = field(default_factory=set)
    # (account, zone or region, client token) -> (request, reservation id)
    launches: dict[tuple, tuple] = field(default_factory=dict)
    # Instance id -> CPU credit option; others have their type's usual one
    credits: dict[str, str] = field(default_factory=dict)
    # (target group ARN, instance id, port) -> DescribeTargetHealth answers left in draining
    draining: dict[tuple, int] = field(default_factory=dict)
    # (target group ARN, instance id, port) -> DescribeTargetHealth answers left in initial; 0 is settled
    target_life: dict[tuple, int] = field(default_factory=dict)
    # (target group ARN, instance id, port) -> (state, reason, description)
    target_override: dict[tuple, tuple] = field(default_factory=dict)
    images: dict[str, ImageRecord] = field(default_factory=dict)
    calls: list = field(default_factory=list)
    faults: list = field(default_factory=list)
    kill: object = None
    # Page tokens handed out -> number of the page that they fetch; so a fault can name page 2.
    page_tokens: dict[str, int] = field(default_factory=dict)
    enforce: bool = False
    principals: dict[str, Principal] = field(default_factory=dict)  # access key -> who
    roles: dict[str, Principal] = field(default_factory=dict)  # role ARN -> what its sessions may do
    hooks: dict[str, Hook] = field(default_factory=dict)
    hook_calls: list = field(default_factory=list)
    invalid: list = field(default_factory=list)  # requests of the program that AWS's models do not allow
    # Set and replaced on reset: whoever hangs on an older one lets go.
    released: threading.Event = field(default_factory=threading.Event)


class _Holder:
    """Lets every module say `S.mode` and see the state of now, also after a reset."""

    def __init__(self):
        object.__setattr__(self, "_state", State())

    def __getattr__(self, name):
        return getattr(self._state, name)

    def __setattr__(self, name, value):
        setattr(self._state, name, value)

    def replace(self):
        old = self._state
        object.__setattr__(self, "_state", State())
        old.released.set()


S = _Holder()


class AwsError(Exception):
    """An error as AWS answers it; `gateway` renders it in the protocol of the request."""

    def __init__(self, code: str, message: str, status: int = 400):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class Dropped(Exception):
    """The connection is to be closed without an answer."""


class BadRequest(Exception):
    """A control route was called wrongly: answered with 400 and this text."""
