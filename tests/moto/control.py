"""The control routes. A test sets its stage, arms its faults and reads the outcome through them, in JSON.

Errors are a 400 with a text that says what was expected. They work whatever faults are armed and whoever may do
what: no policy, fault or kill concerns them.
"""

import json

import builder
import faults
import hooks
import iam
import kills
import patches_images
import patches_elb
import patches_launch
import world
from state import LOCK, AwsError, BadRequest, S

HELP = """\
The launcher's control routes. POST takes and every route returns JSON. Ids are looked up in all accounts and regions.

GET    /_h                  this text
POST   /_h/reset            {seed?}  empties the world and everything armed or recorded; ids repeat after a reset

Worlds, at peace (running, checks ok, targets healthy); account and region default to 123456789012, eu-west-2
POST   /_h/world/incident   {account?, region?, strike?}  tis-prod-blue and -green in target group tis-prod (8080), green
                            alone in tis-upload (8443), one ALB, one image; strike: green stopped by
                            Server.ScheduledStop and the image deregistered. Returns every id
POST   /_h/world/fleet      {services, slots?=2, prefix?="svc", account?, region?}  svc-0000-blue, svc-0000-green, …
POST   /_h/world/instance   {tags, count?=1, image?, state?, code?, zone?="a", instance_type?, account?, region?,
                            target_groups?: [NAME | {name, port}]}  further instances. Returns ids
GET    /_h/world            instances (state, reason, tags, image), targets (health), parameters; sorted, no times

Instances, targets, images
POST   /_h/stop             {instance, code?="Server.ScheduledStop", message?, transition_reason?}  stopped, at once
POST   /_h/state            {instance, state, code?, message?, transition_reason?}  any state, by force
POST   /_h/status           {instance, system?, instance_check?, since?}  status checks while running: ok, impaired,
                            insufficient-data, initializing; neither: as usual. Ends with the boot
POST   /_h/event            {instance, code?="instance-retirement", not_before?, not_after?, not_before_deadline?,
                            description?, id?}  a scheduled event; description null removes it
POST   /_h/target           {target_group, instance, port?, state, reason?, description?}  overrides a registered
                            target's health; state null ends it
POST   /_h/ami              {image, action}  deregister, restore, disable, enable, private (a foreign owner no longer
                            shares it), share, deprecate {at?}, disallow, allow (Allowed AMIs)
POST   /_h/start_outcome    {instance | image, outcome, code?, message?, status?}  of this instance's starts, or of what is
                            launched from this image, from now on: holds; falls_back (pending, then stopped, or for a
                            launch terminated, with code, default Client.InternalError); never_healthy (runs, targets
                            unhealthy);
                            poison (a StartInstances naming it fails whole with code, default
                            IncorrectInstanceState; status 500 for *Capacity* codes, else 400)
POST   /_h/credits          {instance, credits}  standard or unlimited, of a burstable instance
POST   /_h/mode             {auto?, boot_describes?, initial_describes?, draining_describes?, page_size?}  returns all. auto
                            (true): describes
                            move the world. boot_describes (1): DescribeInstances answers showing pending or stopping.
                            initial_describes (1): DescribeTargetHealth answers showing initial, and
                            DescribeInstanceStatus answers showing initializing, after a boot. draining_describes (1):
                            DescribeTargetHealth answers in which a deregistered target drains. page_size (0: AWS's):
                            no page of instances, statuses, image metadata or target groups is larger
POST   /_h/tick             one step of everything pending, stopping, shutting-down, initial, initializing, draining

Faults
POST   /_h/fault            which calls: {action ("*": all), service?, account?, region?, page? (n-th page of a listing),
                            match? (text in the decoded body), skip? (let n pass first), count? (default 1; 0 or null:
                            until cleared)}
                            what: {kind: error | drop | hang | delay | empty | page_fail | unknown_enum, phase?: before
                            (the effect; default) | after, delay_s?, status?, code?, message?, instance? (unknown_enum:
                            that one alone)}. error: that answer (default 500 InternalError). drop: the connection
                            closes without one. hang: no answer until the client goes or faults are cleared. empty: an
                            empty set. page_fail: error on page `page` (default 2). unknown_enum: states and
                            checks read "rebuilding". Returns the fault with its id
GET    /_h/fault            all, with `hits`        DELETE /_h/fault   disarms all, frees the hanging
POST   /_h/kill             {pid | pid_file, at: N | {action, n: N}, phase: receipt | after}  SIGKILL to that process at
                            receipt of the N-th AWS call from now, or after its effect and before its answer; the
                            call is dropped. pid_file is read at that moment. One at a time
GET    /_h/kill             whether it fired, at which call        DELETE /_h/kill

Records
GET    /_h/calls            every AWS call: seq, service, action, access_key, account, region, params, page, request_id,
                            effect_time (null: no effect), status, error, outcome (answered, dropped, killed, failed: a
                            defect of the launcher, shown on its stderr), fault
DELETE /_h/calls            forgets them; numbers start again at 1
GET    /_h/invalid          the program's requests that AWS's models do not allow (answered NotAllowedByModel): seq,
                            problems, body
*      /_h/hook/NAME        a webhook receiver: records the request and answers 200
GET    /_h/hook             deliveries: name, method, headers, body, time, calls_before        DELETE /_h/hook
POST   /_h/hook             {name? (all), mode: ok | error (500) | redirect (302) | hang, location?}

Policies
POST   /_h/iam              {policy?, enforce?, role?: {name, policy, account?}, account?}  makes a user with exactly this
                            policy document and returns its access_key and secret_key; a role's sessions may do what its
                            policy allows. enforce: judge every call by action, resource and tag condition; unknown keys
                            may nothing. The setup key that is returned may always do everything
"""

ROUTES = {
    ("POST", "reset"): world.reset,
    ("POST", "world/incident"): builder.incident,
    ("POST", "world/fleet"): builder.fleet,
    ("POST", "world/instance"): builder.instance,
    ("GET", "world"): lambda _: world.snapshot(),
    ("POST", "stop"): world.control_stop,
    ("POST", "state"): world.control_state,
    ("POST", "status"): world.control_status,
    ("POST", "event"): world.control_event,
    ("POST", "target"): patches_elb.control_target,
    ("POST", "ami"): patches_images.control_ami,
    ("POST", "start_outcome"): world.control_start_outcome,
    ("POST", "credits"): patches_launch.control_credits,
    ("POST", "mode"): world.control_mode,
    ("POST", "tick"): lambda _: world.tick(),
    ("POST", "fault"): faults.arm,
    ("GET", "fault"): lambda _: faults.listing(),
    ("DELETE", "fault"): lambda _: faults.clear(),
    ("POST", "kill"): kills.arm,
    ("GET", "kill"): lambda _: kills.status(),
    ("DELETE", "kill"): lambda _: kills.disarm(),
    ("GET", "calls"): lambda _: {"calls": [call.row() for call in S.calls]},
    ("DELETE", "calls"): lambda _: forget_calls(),
    ("GET", "invalid"): lambda _: {"invalid": S.invalid},
    ("POST", "hook"): hooks.configure,
    ("GET", "hook"): lambda _: hooks.listing(),
    ("DELETE", "hook"): lambda _: hooks.clear(),
    ("POST", "iam"): iam.control_iam,
}


def forget_calls():
    S.calls.clear()
    return {"calls": []}


def handle(method, path, headers, body):
    """(status, headers, body, whether to hang before closing) of a control request to `/_h…`."""
    name = path.removeprefix("/_h").strip("/")
    if name == "":
        return 200, [("Content-Type", "text/plain; charset=utf-8")], HELP.encode(), False
    with LOCK:
        if name.startswith("hook/"):
            return hooks.receive(name.removeprefix("hook/"), method, headers, body)
        route = ROUTES.get((method, name))
        if route is None:
            return reply(404, {"error": f"no route {method} {path}; GET /_h lists them"})
        try:
            given = json.loads(body or b"{}")
            if not isinstance(given, dict):
                raise BadRequest("the body must be a JSON object")
            return reply(200, route(given))
        except KeyError as err:
            return reply(400, {"error": f"{err} is missing from the body"})
        except (AwsError, BadRequest, ValueError) as err:
            return reply(400, {"error": str(err)})


def reply(status, answer):
    body = json.dumps(answer, indent=1, default=str).encode()
    return status, [("Content-Type", "application/json")], body, False
