"""What AWS, hardware, guests and other people do to instances and targets behind a client's back."""

from case import sim_case
from cases_balancing import health, served, settle
from cases_instances import ids_of


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


def launched(aws, image, **params):
    wanted = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, **params}
    return aws.ec2.run_instances(**wanted)["Instances"][0]["InstanceId"]


@sim_case
def what_is_launched_from_a_broken_image_shows_it(aws):
    image = aws.image()
    aws.control("image", id=image, action="break", fault="launch-fails", code="Client.InvalidSnapshot.NotFound")
    one = launched(aws, image)
    aws.settle(one, "terminated")
    aws.equal(reason(aws, one), "Client.InvalidSnapshot.NotFound")
    aws.control("image", id=image, action="break", fault="never-boots")
    one = launched(aws, image)
    aws.settle(one, "running")
    aws.until(lambda: status(aws, one)["InstanceStatus"]["Status"] == "impaired", "its check fails")
    aws.equal(status(aws, one)["SystemStatus"]["Status"], "ok")
    aws.control("image", id=image, action="break", fault="shuts-down", seconds=300)
    one = launched(aws, image)
    aws.settle(one, "running")
    aws.advance(301)
    aws.settle(one, "stopped")
    aws.equal(reason(aws, one), "Client.InstanceInitiatedShutdown")
    aws.control("image", id=image, action="mend")
    one = launched(aws, image)
    aws.advance(900)
    aws.equal(status(aws, one)["InstanceStatus"]["Status"], "ok")


@sim_case
def what_is_launched_from_an_image_that_never_serves_is_unhealthy(aws):
    image, arn = aws.image(), served(aws)
    aws.control("image", id=image, action="break", fault="never-serves")
    one = aws.launch(image=image)
    with aws.quietly():
        aws.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": one}])
    settle(aws, arn, one, "unhealthy")


@sim_case
def a_profile_that_is_lost_is_not_launched_with(aws):
    image, arn = aws.image(), "arn:aws:iam::123456789012:instance-profile/tis"
    aws.control("profile", arn=arn, lost=True)
    wanted = {"ImageId": image, "MinCount": 1, "MaxCount": 1}
    for profile in ({"Arn": arn}, {"Name": "tis"}):
        aws.refused("InvalidParameterValue", aws.ec2.run_instances, IamInstanceProfile=profile, **wanted)
    aws.control("profile", arn=arn, lost=False)
    one = launched(aws, image, IamInstanceProfile={"Name": "tis"})
    aws.equal(aws.instance(one)["IamInstanceProfile"]["Arn"], arn)


@sim_case
def a_quota_limits_launches_and_starts_and_addresses(aws):
    image = aws.image()
    one = aws.launch(image=image)
    with aws.quietly():
        aws.ec2.stop_instances(InstanceIds=[one])
    aws.settle(one, "stopped")
    aws.control("quota", region="eu-west-2", vcpus=1, elastic_ips=0)
    wanted = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    aws.refused("VcpuLimitExceeded", aws.ec2.run_instances, **wanted)
    aws.refused("VcpuLimitExceeded", aws.ec2.start_instances, InstanceIds=[one])
    aws.refused("AddressLimitExceeded", aws.ec2.allocate_address)
    aws.control("quota", region="eu-west-2", vcpus=2)
    aws.ec2.start_instances(InstanceIds=[one])


@sim_case
def protection_that_a_person_sets_holds(aws):
    one = aws.launch()
    aws.control("instance", id=one, action="protect", termination=True, stop=True)
    aws.refused("OperationNotPermitted", aws.ec2.stop_instances, InstanceIds=[one])
    aws.refused("OperationNotPermitted", aws.ec2.terminate_instances, InstanceIds=[one])


@sim_case
def a_new_instance_may_be_absent_from_reads_for_a_while(aws):
    image = aws.image()
    aws.control("staleness", launches_hidden=1000)
    made = [launched(aws, image) for _ in range(4)]
    seen = lambda: ids_of(aws.ec2.describe_instances())
    aws.true(len(seen()) < 4, "one at least is not there yet")
    aws.advance(1000)
    aws.equal(seen(), sorted(made))


@sim_case
def a_boot_takes_as_long_as_it_is_told_to(aws):
    image = aws.image()
    aws.control("pace", of="boot", least=600, most=600)
    one = launched(aws, image)
    aws.advance(599)
    aws.equal(aws.instance(one)["State"]["Name"], "pending")
    aws.advance(2)
    aws.equal(aws.instance(one)["State"]["Name"], "running")


@sim_case
def a_start_with_a_disabled_key_does_not_hold(aws):
    one, key = aws.launch(), "arn:aws:kms:eu-west-2:123456789012:key/0d5a"
    aws.control("instance", id=one, action="encrypt-root", kms_key=key)
    with aws.quietly():
        aws.ec2.stop_instances(InstanceIds=[one])
    aws.settle(one, "stopped")
    aws.control("key", arn=key, disabled=True)
    aws.ec2.start_instances(InstanceIds=[one])
    aws.advance(60)
    aws.equal((aws.instance(one)["State"]["Name"], reason(aws, one)), ("stopped", "Client.InternalError"))


@sim_case
def a_terminated_instance_may_vanish_at_once(aws):
    one = aws.launch()
    with aws.quietly():
        aws.ec2.terminate_instances(InstanceIds=[one])
    aws.settle(one, "terminated")
    aws.control("instance", id=one, action="vanish")
    aws.refused("InvalidInstanceID.NotFound", aws.ec2.describe_instances, InstanceIds=[one])


@sim_case
def an_image_fails_with_the_snapshot_that_it_waits_for(aws):
    one = aws.launch()
    image = aws.ec2.create_image(InstanceId=one, Name="rescue")["ImageId"]
    pending = aws.ec2.describe_snapshots(Filters=[{"Name": "status", "Values": ["pending"]}], OwnerIds=["self"])
    aws.control("snapshot", id=pending["Snapshots"][0]["SnapshotId"])
    aws.until(lambda: aws.image_of(image)["State"] == "failed", "the image failed")


@sim_case
def a_target_group_that_nothing_forwards_to_is_unused(aws):
    one, arn = aws.launch(), served(aws)
    with aws.quietly():
        aws.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": one}])
    settle(aws, arn, one, "healthy")
    aws.control("target-group", group=arn, in_use=False)
    aws.equal(health(aws, arn)[(one, 8080)], ("unused", "Target.NotInUse"))
