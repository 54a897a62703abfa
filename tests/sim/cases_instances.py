"""The life of an instance: launched, looked at, stopped, started, rebooted, terminated."""

from case import case


def ids_of(answer):
    return sorted(one["InstanceId"] for group in answer["Reservations"] for one in group["Instances"])


def changes(answer, word):
    """(previous, current) of each instance that a start, a stop or a termination names."""
    return [(one["PreviousState"]["Name"], one["CurrentState"]["Name"]) for one in answer[word]]


@case
def a_new_instance_is_pending_and_then_running(aws):
    image = aws.image()
    made = aws.ec2.run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "one"}]}],
    )
    one = made["Instances"][0]
    aws.equal((one["State"]["Name"], one["ImageId"]), ("pending", image))
    aws.equal(one["Tags"], [{"Key": "Name", "Value": "one"}])
    aws.settle(one["InstanceId"], "running")
    found = aws.ec2.describe_instances(InstanceIds=[one["InstanceId"]])["Reservations"][0]["Instances"][0]
    aws.equal((found["State"]["Name"], found["RootDeviceType"]), ("running", "ebs"))
    aws.equal(len(found["BlockDeviceMappings"]), 1)


@case
def several_instances_of_one_launch_share_a_reservation(aws):
    image = aws.image()
    made = aws.ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=2, MaxCount=3)
    aws.equal(len(made["Instances"]), 3)
    ids = [one["InstanceId"] for one in made["Instances"]]
    aws.settle(ids, "running")
    groups = aws.ec2.describe_instances(InstanceIds=ids)["Reservations"]
    aws.equal([len(group["Instances"]) for group in groups], [3])
    aws.equal(sorted(one["AmiLaunchIndex"] for one in groups[0]["Instances"]), [0, 1, 2])


@case
def stopping_and_starting_pass_through_their_states(aws):
    one = aws.launch()
    address = aws.instance(one)["PrivateIpAddress"]
    stopped = aws.ec2.stop_instances(InstanceIds=[one])
    aws.equal(changes(stopped, "StoppingInstances"), [("running", "stopping")])
    aws.settle(one, "stopped")
    found = aws.ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]
    aws.equal(found["StateReason"]["Code"], "Client.UserInitiatedShutdown")
    aws.equal(found["PrivateIpAddress"], address, "a stopped instance keeps its private address")
    aws.true(not found.get("PublicIpAddress"), "a stopped instance has no public address of its own")
    started = aws.ec2.start_instances(InstanceIds=[one])
    aws.equal(changes(started, "StartingInstances"), [("stopped", "pending")])
    aws.settle(one, "running")
    again = aws.ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]
    aws.equal(again["PrivateIpAddress"], address)


@case
def stopping_a_stopped_instance_and_starting_a_running_one_changes_nothing(aws):
    one = aws.launch()
    aws.equal(changes(aws.ec2.start_instances(InstanceIds=[one]), "StartingInstances"), [("running", "running")])
    aws.ec2.stop_instances(InstanceIds=[one])
    aws.settle(one, "stopped")
    aws.equal(changes(aws.ec2.stop_instances(InstanceIds=[one]), "StoppingInstances"), [("stopped", "stopped")])


@case
def a_terminated_instance_lingers_and_then_is_gone(aws):
    one = aws.launch()
    ended = aws.ec2.terminate_instances(InstanceIds=[one])
    aws.equal(changes(ended, "TerminatingInstances"), [("running", "shutting-down")])
    aws.settle(one, "terminated")
    found = aws.ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]
    aws.equal(found["StateReason"]["Code"], "Client.UserInitiatedShutdown")
    aws.true(not found.get("PrivateIpAddress"), "it has given its address back")
    again = aws.ec2.terminate_instances(InstanceIds=[one])
    aws.equal(changes(again, "TerminatingInstances"), [("terminated", "terminated")])
    aws.advance(3 * 3600)
    aws.refused("InvalidInstanceID.NotFound", aws.ec2.describe_instances, InstanceIds=[one])


@case
def a_termination_begins_with_shutting_down(aws):
    one, other = aws.launch(count=2)
    ended = aws.ec2.terminate_instances(InstanceIds=[one, other])
    aws.equal(changes(ended, "TerminatingInstances"), [("running", "shutting-down")] * 2)
    aws.settle([one, other], "terminated")


@case
def a_terminated_instance_can_not_be_started_or_stopped(aws):
    one = aws.launch()
    aws.ec2.terminate_instances(InstanceIds=[one])
    aws.settle(one, "terminated")
    aws.refused("IncorrectInstanceState", aws.ec2.start_instances, InstanceIds=[one])
    aws.refused("IncorrectInstanceState", aws.ec2.stop_instances, InstanceIds=[one])
    aws.refused("IncorrectInstanceState", aws.ec2.reboot_instances, InstanceIds=[one])


@case
def a_stopping_instance_can_not_be_started(aws):
    one = aws.launch()
    aws.ec2.stop_instances(InstanceIds=[one])
    aws.refused("IncorrectInstanceState", aws.ec2.start_instances, InstanceIds=[one])


@case
def one_bad_id_fails_a_whole_batch(aws):
    one, other = aws.launch(count=2)
    with aws.quietly():
        aws.ec2.stop_instances(InstanceIds=[one, other])
    aws.settle([one, other], "stopped")
    bad = "i-0123456789abcdef0"
    aws.refused("InvalidInstanceID.NotFound", aws.ec2.start_instances, InstanceIds=[one, bad, other])
    aws.equal([aws.instance(each)["State"]["Name"] for each in (one, other)], ["stopped", "stopped"])
    aws.refused("InvalidInstanceID.NotFound", aws.ec2.describe_instances, InstanceIds=[one, bad])
    aws.refused("InvalidInstanceID.Malformed", aws.ec2.describe_instances, InstanceIds=["no-id"])


@case
def a_batch_with_a_terminated_id_starts_none(aws):
    one, other = aws.launch(count=2)
    with aws.quietly():
        aws.ec2.stop_instances(InstanceIds=[one])
        aws.ec2.terminate_instances(InstanceIds=[other])
    aws.settle(one, "stopped")
    aws.settle(other, "terminated")
    aws.refused("IncorrectInstanceState", aws.ec2.start_instances, InstanceIds=[one, other])
    aws.equal(aws.instance(one)["State"]["Name"], "stopped")


@case
def a_reboot_leaves_an_instance_running(aws):
    one = aws.launch()
    aws.ec2.reboot_instances(InstanceIds=[one])
    aws.equal(aws.instance(one)["State"]["Name"], "running")


@case
def statuses_are_of_running_instances_unless_all_are_wanted(aws):
    one, other = aws.launch(count=2)
    with aws.quietly():
        aws.ec2.stop_instances(InstanceIds=[other])
    aws.settle(other, "stopped")
    aws.advance(900)
    running = aws.ec2.describe_instance_status()["InstanceStatuses"]
    aws.equal([each["InstanceId"] for each in running], [one])
    aws.equal((running[0]["SystemStatus"]["Status"], running[0]["InstanceStatus"]["Status"]), ("ok", "ok"))
    every = aws.ec2.describe_instance_status(IncludeAllInstances=True)["InstanceStatuses"]
    aws.equal({each["InstanceId"]: each["InstanceState"]["Name"] for each in every}, {one: "running", other: "stopped"})
    status = {each["InstanceId"]: each["InstanceStatus"]["Status"] for each in every}
    aws.equal(status[other], "not-applicable")


@case
def a_booting_instance_is_initializing_and_then_ok(aws):
    one = aws.launch()
    status = aws.ec2.describe_instance_status(InstanceIds=[one])["InstanceStatuses"][0]
    aws.equal(status["InstanceStatus"]["Status"], "initializing")
    aws.equal(status["SystemStatus"]["Status"], "initializing")

    def is_ok():
        found = aws.ec2.describe_instance_status(InstanceIds=[one])["InstanceStatuses"][0]
        return found["InstanceStatus"]["Status"] == found["SystemStatus"]["Status"] == "ok"

    aws.until(is_ok, "checks are ok")


@case
def a_dry_run_says_that_it_would_have_succeeded_and_does_nothing(aws):
    one = aws.launch()
    for call in (aws.ec2.stop_instances, aws.ec2.start_instances, aws.ec2.terminate_instances):
        aws.refused("DryRunOperation", call, status=412, InstanceIds=[one], DryRun=True)
    aws.equal(aws.instance(one)["State"]["Name"], "running")


@case
def listings_come_in_pages_that_follow_each_other(aws):
    image = aws.image()
    made = set()
    for _ in range(7):
        made.add(aws.launch(image=image, settled=False))
        aws.advance(2)  # or the bucket of RunInstances is empty
    aws.settle(list(made), "running")
    pages = aws.ec2.pages("describe_instances", PaginationConfig={"PageSize": 5})
    aws.equal([len(page["Reservations"]) for page in pages], [5, 2])
    aws.equal(set(ids_of(pages[0]) + ids_of(pages[1])), made)


@case
def page_sizes_are_from_5_to_1000_and_never_given_with_ids(aws):
    one = aws.launch()
    aws.refused("InvalidParameterValue", aws.ec2.describe_instances, MaxResults=4)
    aws.refused("InvalidParameterValue", aws.ec2.describe_instances, MaxResults=1001)
    aws.refused("InvalidParameterCombination", aws.ec2.describe_instances, InstanceIds=[one], MaxResults=5)
    aws.refused("InvalidParameterCombination", aws.ec2.describe_instance_status, InstanceIds=[one], MaxResults=5)


@case
def no_more_than_a_hundred_statuses_are_asked_for_by_id(aws):
    ids = [f"i-{n:017x}" for n in range(101)]
    aws.refused("InvalidParameterValue", aws.ec2.describe_instance_status, InstanceIds=ids)


@case
def filters_choose_by_tag_state_and_wildcard(aws):
    image = aws.image()
    blue = aws.launch(image=image, TagSpecifications=tagged("tis-prod-blue"))
    green = aws.launch(image=image, TagSpecifications=tagged("tis-prod-green"))
    with aws.quietly():
        aws.ec2.stop_instances(InstanceIds=[green])
    aws.settle(green, "stopped")

    def found(**filters):
        wanted = [{"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()]
        return ids_of(aws.ec2.describe_instances(Filters=wanted))

    named = [{"Name": "tag:Name", "Values": ["tis-prod-*"]}]
    aws.equal(ids_of(aws.ec2.describe_instances(Filters=named)), sorted([blue, green]))
    aws.equal(ids_of(aws.ec2.describe_instances(Filters=[{"Name": "tag-key", "Values": ["Name"]}])), sorted([blue, green]))
    aws.equal(found(instance_state_name=["stopped"]), [green])
    aws.equal(found(instance_state_name=["pending", "running"]), [blue])
    aws.equal(found(instance_id=[blue]), [blue])
    aws.equal(found(instance_state_name=["terminated"]), [])


def two_unlike(aws, **more):
    """Two instances that differ in all that the next two cases look at, the first one described."""
    image, vpc, subnets = aws.image(), aws.vpc(), aws.subnets()
    with aws.quietly():
        group = aws.ec2.create_security_group(GroupName="other", Description="other", VpcId=vpc)["GroupId"]
        aws.ec2.create_key_pair(KeyName="key")
    one = aws.launch(
        image=image, SubnetId=subnets[0], SecurityGroupIds=[group], KeyName="key", InstanceType="t3.small",
        EbsOptimized=True, ClientToken="token", MetadataOptions={"HttpTokens": "required"},
        Monitoring={"Enabled": True}, **more,
    )
    aws.launch(image=aws.image(Name="another"), SubnetId=subnets[1])
    aws.advance(120)
    return one, aws.instance(one)


def chosen(aws, call="describe_instances", **filters):
    wanted = [{"Name": name, "Values": values} for name, values in filters.items()]
    return getattr(aws.ec2, call)(Filters=wanted)


@case
def filters_choose_by_what_an_instance_is_made_of(aws):
    one, found = two_unlike(aws)
    for name, value in (
        ("image-id", found["ImageId"]),
        ("instance-type", "t3.small"),
        ("instance.group-id", found["SecurityGroups"][0]["GroupId"]),
        ("instance.group-name", "other"),
        ("key-name", "key"),
        ("private-ip-address", found["PrivateIpAddress"]),
        ("ip-address", found["PublicIpAddress"]),
        ("private-dns-name", found["PrivateDnsName"]),
        ("subnet-id", found["SubnetId"]),
    ):
        aws.equal(ids_of(chosen(aws, **{name: [value]})), [one], name)
    aws.equal(len(ids_of(chosen(aws, **{"vpc-id": [found["VpcId"]]}))), 2)


@case
def further_filters_choose_by_settings_and_attachments(aws):
    profile = "arn:aws:iam::123456789012:instance-profile/web"
    one, found = two_unlike(aws, IamInstanceProfile={"Arn": profile})
    for name, value in (
        ("iam-instance-profile.arn", profile),
        ("availability-zone-id", found["Placement"]["AvailabilityZoneId"]),
        ("client-token", "token"),
        ("ebs-optimized", "true"),
        ("metadata-options.http-tokens", "required"),
        ("monitoring-state", "enabled"),
        ("block-device-mapping.volume-id", found["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]),
        ("network-interface.network-interface-id", found["NetworkInterfaces"][0]["NetworkInterfaceId"]),
        ("network-interface.addresses.private-ip-address", found["PrivateIpAddress"]),
    ):
        aws.equal(ids_of(chosen(aws, **{name: [value]})), [one], name)
    for name, value in (
        ("instance-state-code", "16"), ("architecture", "x86_64"), ("owner-id", "123456789012"),
        ("root-device-type", "ebs"), ("tenancy", "default"), ("source-dest-check", "true"),
        ("virtualization-type", "hvm"), ("launch-index", "0"), ("launch-time", f"{found['LaunchTime']:%Y-%m-%d}*"),
        ("reservation-id", "r-*"), ("block-device-mapping.status", "attached"),
    ):
        aws.equal(len(ids_of(chosen(aws, **{name: [value]}))), 2, name)
    aws.equal(ids_of(chosen(aws, **{"instance-lifecycle": ["spot"]})), [])


@case
def statuses_and_image_metadata_have_filters_of_their_own(aws):
    one = aws.launch()
    aws.advance(900)

    def statuses(**filters):
        return [each["InstanceId"] for each in chosen(aws, "describe_instance_status", **filters)["InstanceStatuses"]]

    aws.equal(statuses(**{"instance-status.status": ["ok"], "system-status.reachability": ["passed"]}), [one])
    aws.equal(statuses(**{"instance-status.status": ["impaired"]}), [])
    aws.equal(statuses(**{"event.code": ["instance-*"]}), [])

    def images(**filters):
        found = chosen(aws, "describe_instance_image_metadata", **filters)["InstanceImageMetadata"]
        return [each["InstanceId"] for each in found]

    aws.equal(images(**{"image-allowed": ["true"], "owner-id": ["123456789012"], "instance-type": ["t3.*"]}), [one])
    aws.equal(images(**{"image-allowed": ["false"]}), [])
    aws.equal(images(**{"owner-alias": ["amazon"]}), [])


def tagged(name, kind="instance"):
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]


@case
def tags_are_set_replaced_and_deleted(aws):
    one = aws.launch(TagSpecifications=tagged("one"))
    aws.ec2.create_tags(Resources=[one], Tags=[{"Key": "Name", "Value": "two"}, {"Key": "Team", "Value": "tis"}])
    tags = aws.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [one]}])["Tags"]
    aws.equal({each["Key"]: each["Value"] for each in tags}, {"Name": "two", "Team": "tis"})
    aws.equal({each["ResourceType"] for each in tags}, {"instance"})
    aws.ec2.delete_tags(Resources=[one], Tags=[{"Key": "Team", "Value": "other"}])
    aws.equal(len(aws.instance(one)["Tags"]), 2, "a tag with another value stays")
    aws.ec2.delete_tags(Resources=[one], Tags=[{"Key": "Team"}])
    aws.equal(aws.instance(one)["Tags"], [{"Key": "Name", "Value": "two"}])


@case
def tags_of_aws_itself_and_too_many_tags_are_refused(aws):
    one = aws.launch()
    aws.refused(
        "InvalidParameterValue", aws.ec2.create_tags, Resources=[one], Tags=[{"Key": "aws:x", "Value": "y"}]
    )
    many = [{"Key": f"k{n}", "Value": "v"} for n in range(51)]
    aws.refused("TagLimitExceeded", aws.ec2.create_tags, Resources=[one], Tags=many)
