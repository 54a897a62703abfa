"""What AWS, hardware, guests and other people do to instances and targets behind a client's back."""

from case import sim_case
from cases_balancing import health, served, settle


def status(aws, one):
    return aws.ec2.describe_instance_status(InstanceIds=[one], IncludeAllInstances=True)["InstanceStatuses"][0]


def reason(aws, one):
    return aws.ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]["StateReason"]["Code"]


@sim_case
def the_state_reason_says_who_stopped_an_instance(aws):
    for by, code, seen in (
        ("aws", {"code": "Server.ScheduledStop"}, "Server.ScheduledStop"),
        ("aws", {"code": "Server.InternalError"}, "Server.InternalError"),
        ("guest", {}, "Client.InstanceInitiatedShutdown"),
        ("person", {}, "Client.UserInitiatedShutdown"),
    ):
        one = aws.launch(image=aws.image(Name=f"{by}-{len(aws.steps)}"))
        aws.control("instance", id=one, action="stop", by=by, **code)
        aws.settle(one, "stopped")
        aws.equal(reason(aws, one), seen)


@sim_case
def a_retirement_is_announced_and_really_stops_the_instance(aws):
    one = aws.launch()
    aws.control("event", id=one, code="instance-retirement", seconds=7200)
    event = status(aws, one)["Events"][0]
    aws.equal(event["Code"], "instance-retirement")
    aws.true(event["NotBefore"].tzinfo is not None and event["Description"], "it says when and what")
    aws.advance(7000)
    aws.equal(aws.instance(one)["State"]["Name"], "running")
    aws.advance(900)
    aws.settle(one, "stopped")
    aws.equal(reason(aws, one), "Server.ScheduledStop")


@sim_case
def an_event_that_was_called_off_is_history_and_nothing_happens(aws):
    one = aws.launch()
    event = aws.control("event", id=one, code="instance-stop", seconds=3600)["event"]
    aws.control("event", id=one, cancel=event)
    found = status(aws, one)["Events"]
    aws.true(all(each["Description"].startswith("[Canceled]") for each in found), found)
    aws.advance(7200)
    aws.equal(aws.instance(one)["State"]["Name"], "running")


@sim_case
def events_of_every_kind_keep_the_model(aws):
    for code in ("instance-reboot", "system-reboot", "system-maintenance", "instance-retirement", "instance-stop"):
        one = aws.launch(image=aws.image(Name=code))
        aws.control("event", id=one, code=code, seconds=3600)
        aws.equal(status(aws, one)["Events"][0]["Code"], code)


@sim_case
def an_impaired_check_is_impaired_until_it_is_mended(aws):
    one = aws.launch()
    aws.advance(900)
    for check, member in (("system", "SystemStatus"), ("instance", "InstanceStatus"), ("attached-ebs", "AttachedEbsStatus")):
        aws.control("instance", id=one, action="impair", check=check)
        found = status(aws, one)[member]
        aws.equal((found["Status"], found["Details"][0]["Status"]), ("impaired", "failed"))
        aws.true(found["Details"][0].get("ImpairedSince"), "since when")
        aws.control("instance", id=one, action="mend", check=check)
        aws.equal(status(aws, one)[member]["Status"], "ok")


@sim_case
def a_start_that_does_not_hold_falls_back_to_stopped(aws):
    one = aws.launch()
    with aws.quietly():
        aws.ec2.stop_instances(InstanceIds=[one])
    aws.settle(one, "stopped")
    aws.control("instance", id=one, action="fail-starts", times=1)
    answer = aws.ec2.start_instances(InstanceIds=[one])["StartingInstances"][0]
    aws.equal(answer["CurrentState"]["Name"], "pending", "a start that is answered is not one that holds")
    aws.settle(one, "stopped")
    aws.equal(reason(aws, one), "Client.InternalError")
    aws.advance(5)
    aws.ec2.start_instances(InstanceIds=[one])
    aws.settle(one, "running")


@sim_case
def a_poisoned_id_fails_a_batch_whole(aws):
    one, other = aws.launch(count=2)
    with aws.quietly():
        aws.ec2.stop_instances(InstanceIds=[one, other])
    aws.settle([one, other], "stopped")
    aws.control("instance", id=one, action="poison", code="IncorrectState")
    aws.refused("IncorrectState", aws.ec2.start_instances, InstanceIds=[other, one])
    aws.equal(aws.instance(other)["State"]["Name"], "stopped")


@sim_case
def an_instance_that_is_hidden_for_a_while_is_not_found(aws):
    one = aws.launch()
    aws.control("instance", id=one, action="hide", seconds=60)
    aws.refused("InvalidInstanceID.NotFound", aws.ec2.describe_instances, InstanceIds=[one])
    aws.advance(61)
    aws.equal(aws.instance(one)["State"]["Name"], "running")


@sim_case
def a_broken_application_is_unhealthy_and_recovers(aws):
    one, arn = aws.launch(), served(aws)
    with aws.quietly():
        aws.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": one}])
    settle(aws, arn, one, "healthy")
    aws.control("instance", id=one, action="app", app="broken")
    settle(aws, arn, one, "unhealthy")
    state, why = health(aws, arn)[(one, 8080)]
    aws.true(why in ("Target.ResponseCodeMismatch", "Target.Timeout", "Target.FailedHealthChecks"), why)
    aws.control("instance", id=one, action="app", app="serving")
    settle(aws, arn, one, "healthy")


@sim_case
def a_member_that_no_enum_knows_reaches_the_client(aws):
    one = aws.launch()
    aws.control("fault", kind="unknown-member", member="running", action="DescribeInstances", times=1)
    found = aws.side.client("ec2").describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]
    aws.true(found["State"]["Name"] != "running", found["State"])
    aws.true(aws.side.problems, "the checker of answers sees that it is in no enum")
    aws.side.problems.clear()


@sim_case
def another_time_the_whole_world_is_shown_empty(aws):
    one = aws.launch()
    aws.control("fault", kind="empty", action="DescribeInstances", times=1)
    aws.equal(aws.ec2.describe_instances(InstanceIds=[one])["Reservations"], [])
    aws.equal(aws.instance(one)["State"]["Name"], "running")
