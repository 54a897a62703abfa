"""What can be changed of an instance: its attributes, metadata options, monitoring, credits, the time of an event."""

from datetime import timedelta

from case import case, sim_case


def attribute(aws, one, name):
    """The value of an attribute, as DescribeInstanceAttribute tells it."""
    answer = aws.ec2.describe_instance_attribute(InstanceId=one, Attribute=name)
    return answer[name[0].upper() + name[1:]].get("Value")


def stopped(aws, **params):
    one = aws.launch(**params)
    with aws.quietly():
        aws.ec2.stop_instances(InstanceIds=[one])
    aws.settle(one, "stopped")
    return one


@case
def the_type_of_a_stopped_instance_is_changed(aws):
    one = stopped(aws)
    aws.ec2.modify_instance_attribute(InstanceId=one, InstanceType={"Value": "m5.large"})
    aws.equal(attribute(aws, one, "instanceType"), "m5.large")
    aws.equal(aws.instance(one)["InstanceType"], "m5.large")
    aws.ec2.modify_instance_attribute(InstanceId=one, Attribute="instanceType", Value="t3.small")
    aws.equal(aws.instance(one)["InstanceType"], "t3.small")
    with aws.quietly():
        aws.ec2.start_instances(InstanceIds=[one])
    aws.settle(one, "running")
    aws.equal(aws.instance(one)["InstanceType"], "t3.small")


@case
def every_attribute_of_an_instance_is_told(aws):
    one = aws.launch()
    for name in (
        "blockDeviceMapping", "disableApiStop", "disableApiTermination", "ebsOptimized", "enaSupport", "enclaveOptions",
        "groupSet", "instanceInitiatedShutdownBehavior", "instanceType", "kernel", "productCodes", "ramdisk",
        "rootDeviceName", "sourceDestCheck", "sriovNetSupport", "userData",
    ):
        aws.equal(aws.ec2.describe_instance_attribute(InstanceId=one, Attribute=name)["InstanceId"], one)


@case
def type_and_user_data_and_optimisation_are_changed_while_stopped_only(aws):
    one = aws.launch()
    for params in ({"InstanceType": {"Value": "m5.large"}}, {"UserData": {"Value": b"#!"}}, {"EbsOptimized": {"Value": True}}):
        aws.refused("IncorrectInstanceState", aws.ec2.modify_instance_attribute, InstanceId=one, **params)
    aws.equal(aws.instance(one)["InstanceType"], "t3.micro")


@case
def a_type_that_is_unknown_or_of_another_architecture_is_refused(aws):
    one = stopped(aws)
    for kind in ("x9.enormous", "m6g.large"):
        aws.refused(
            "InvalidInstanceAttributeValue", aws.ec2.modify_instance_attribute, InstanceId=one,
            InstanceType={"Value": kind},
        )


@case
def the_user_data_of_a_stopped_instance_is_changed_and_taken_away(aws):
    one = stopped(aws, UserData="one")
    aws.ec2.modify_instance_attribute(InstanceId=one, UserData={"Value": b"two"})
    aws.equal(attribute(aws, one, "userData"), "dHdv")
    aws.ec2.modify_instance_attribute(InstanceId=one, UserData={"Value": b""})
    aws.equal(attribute(aws, one, "userData"), None)


@case
def protection_and_optimisation_are_switched_on_and_off(aws):
    one = stopped(aws)
    for name in ("disableApiTermination", "disableApiStop", "ebsOptimized"):
        member = name[0].upper() + name[1:]
        for on in (True, False):
            aws.ec2.modify_instance_attribute(InstanceId=one, **{member: {"Value": on}})
            aws.equal(attribute(aws, one, name), on)


@case
def stop_protection_holds_until_it_is_lifted(aws):
    one = aws.launch()
    aws.ec2.modify_instance_attribute(InstanceId=one, DisableApiStop={"Value": True})
    aws.refused("OperationNotPermitted", aws.ec2.stop_instances, InstanceIds=[one])
    aws.ec2.modify_instance_attribute(InstanceId=one, DisableApiStop={"Value": False})
    aws.ec2.stop_instances(InstanceIds=[one])


@case
def a_protected_instance_protects_the_others_of_its_zone_alone(aws):
    image, subnets = aws.image(), aws.subnets()
    kept = aws.launch(image=image, SubnetId=subnets[0], DisableApiTermination=True)
    beside = aws.launch(image=image, SubnetId=subnets[0])
    elsewhere = aws.launch(image=image, SubnetId=subnets[1])
    aws.refused("OperationNotPermitted", aws.ec2.terminate_instances, InstanceIds=[kept, beside, elsewhere])
    aws.settle(elsewhere, "terminated")
    aws.equal([aws.instance(each)["State"]["Name"] for each in (kept, beside)], ["running", "running"])


@case
def a_shutdown_inside_does_what_the_instance_is_set_to(aws):
    one = aws.launch()
    aws.equal(attribute(aws, one, "instanceInitiatedShutdownBehavior"), "stop")
    aws.ec2.modify_instance_attribute(InstanceId=one, InstanceInitiatedShutdownBehavior={"Value": "terminate"})
    aws.equal(attribute(aws, one, "instanceInitiatedShutdownBehavior"), "terminate")
    aws.refused(
        "InvalidParameterValue", aws.ec2.modify_instance_attribute, InstanceId=one,
        InstanceInitiatedShutdownBehavior={"Value": "explode"},
    )


@case
def the_groups_of_an_instance_are_replaced(aws):
    one, vpc = aws.launch(), aws.vpc()
    with aws.quietly():
        group = aws.ec2.create_security_group(GroupName="other", Description="other", VpcId=vpc)["GroupId"]
    aws.ec2.modify_instance_attribute(InstanceId=one, Groups=[group])
    groups = aws.ec2.describe_instance_attribute(InstanceId=one, Attribute="groupSet")["Groups"]
    aws.equal([each["GroupId"] for each in groups], [group])
    aws.equal([each["GroupId"] for each in aws.instance(one)["SecurityGroups"]], [group])
    aws.refused(
        "InvalidGroup.NotFound", aws.ec2.modify_instance_attribute, InstanceId=one, Groups=["sg-0123456789abcdef0"]
    )


@case
def traffic_for_others_passes_once_the_check_is_off(aws):
    one = aws.launch()
    aws.ec2.modify_instance_attribute(InstanceId=one, SourceDestCheck={"Value": False})
    aws.equal(attribute(aws, one, "sourceDestCheck"), False)
    aws.equal(aws.instance(one)["SourceDestCheck"], False)


@case
def groups_of_an_instance_with_two_interfaces_are_changed_at_the_interface_only(aws):
    image, subnet = aws.image(), aws.subnets()[0]
    one = aws.launch(image=image, NetworkInterfaces=[
        {"DeviceIndex": 0, "SubnetId": subnet}, {"DeviceIndex": 1, "SubnetId": subnet},
    ])
    group = aws.instance(one)["SecurityGroups"][0]["GroupId"]
    aws.refused("InvalidInstanceID", aws.ec2.modify_instance_attribute, InstanceId=one, Groups=[group])
    aws.refused("InvalidInstanceID", aws.ec2.modify_instance_attribute, InstanceId=one, SourceDestCheck={"Value": False})


@case
def a_volume_is_kept_when_its_instance_ends_if_it_is_told_to(aws):
    one = aws.launch()
    disk = aws.instance(one)["BlockDeviceMappings"][0]
    aws.ec2.modify_instance_attribute(
        InstanceId=one,
        BlockDeviceMappings=[{"DeviceName": disk["DeviceName"], "Ebs": {"DeleteOnTermination": False}}],
    )
    aws.equal(aws.instance(one)["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"], False)
    with aws.quietly():
        aws.ec2.terminate_instances(InstanceIds=[one])
    aws.settle(one, "terminated")
    aws.equal(aws.volume(disk["Ebs"]["VolumeId"])["State"], "available")


@case
def a_device_that_nothing_is_mapped_to_is_refused(aws):
    one = aws.launch()
    aws.refused(
        "InvalidInstanceAttributeValue", aws.ec2.modify_instance_attribute, InstanceId=one,
        BlockDeviceMappings=[{"DeviceName": "/dev/sdz", "Ebs": {"DeleteOnTermination": False}}],
    )


@case
def one_attribute_is_changed_at_a_time(aws):
    one = stopped(aws)
    aws.refused("InvalidParameterCombination", aws.ec2.modify_instance_attribute, InstanceId=one)
    aws.refused(
        "InvalidParameterCombination", aws.ec2.modify_instance_attribute, InstanceId=one,
        DisableApiStop={"Value": True}, DisableApiTermination={"Value": True},
    )
    aws.equal(attribute(aws, one, "disableApiStop"), False)


@case
def attributes_of_what_is_not_there_are_not_changed(aws):
    bad = "i-0123456789abcdef0"
    aws.refused(
        "InvalidInstanceID.NotFound", aws.ec2.modify_instance_attribute, InstanceId=bad, DisableApiStop={"Value": True}
    )
    aws.refused("InvalidInstanceID.NotFound", aws.ec2.modify_instance_metadata_options, InstanceId=bad, HttpTokens="required")


@case
def changed_metadata_options_are_applied(aws):
    one = aws.launch()
    options = {
        "HttpTokens": "required", "HttpPutResponseHopLimit": 2, "HttpEndpoint": "enabled", "HttpProtocolIpv6": "disabled",
        "InstanceMetadataTags": "enabled",
    }
    changed = aws.ec2.modify_instance_metadata_options(InstanceId=one, **options)["InstanceMetadataOptions"]
    aws.equal({name: changed[name] for name in options}, options)
    aws.advance(60)
    found = aws.ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]["MetadataOptions"]
    aws.equal(found, {**options, "State": "applied"})


@case
def changed_metadata_options_are_pending_at_first(aws):
    one = aws.launch()
    changed = aws.ec2.modify_instance_metadata_options(InstanceId=one, HttpTokens="required")
    aws.equal(changed["InstanceMetadataOptions"]["State"], "pending")
    aws.equal(aws.instance(one)["MetadataOptions"]["State"], "pending")


@case
def metadata_options_that_are_not_named_stay_as_they_are(aws):
    one = aws.launch(MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 3})
    changed = aws.ec2.modify_instance_metadata_options(InstanceId=one, InstanceMetadataTags="enabled")
    found = changed["InstanceMetadataOptions"]
    aws.equal((found["State"], found["HttpTokens"], found["HttpPutResponseHopLimit"]), ("pending", "required", 3))
    aws.refused("InvalidParameterValue", aws.ec2.modify_instance_metadata_options, InstanceId=one, HttpPutResponseHopLimit=65)


@case
def detailed_monitoring_is_switched_on_and_off(aws):
    one = aws.launch()
    aws.equal(aws.instance(one)["Monitoring"], {"State": "disabled"})
    on = aws.ec2.monitor_instances(InstanceIds=[one])["InstanceMonitorings"]
    aws.equal(on, [{"InstanceId": one, "Monitoring": {"State": "pending"}}])
    aws.advance(60)
    aws.equal(aws.instance(one)["Monitoring"], {"State": "enabled"})
    off = aws.ec2.unmonitor_instances(InstanceIds=[one])["InstanceMonitorings"]
    aws.equal(off, [{"InstanceId": one, "Monitoring": {"State": "disabling"}}])
    aws.advance(60)
    aws.equal(aws.instance(one)["Monitoring"], {"State": "disabled"})
    aws.refused("InvalidInstanceID.NotFound", aws.ec2.monitor_instances, InstanceIds=["i-0123456789abcdef0"])


def credits(aws, *ids):
    found = aws.ec2.describe_instance_credit_specifications(InstanceIds=list(ids))["InstanceCreditSpecifications"]
    return {each["InstanceId"]: each["CpuCredits"] for each in found}


@case
def a_types_credit_option_is_its_usual_one_unless_another_is_asked_for(aws):
    image = aws.image()
    standard = aws.launch(image=image, CreditSpecification={"CpuCredits": "standard"})
    old = aws.launch(image=image, InstanceType="t2.micro")
    none = aws.launch(image=image, InstanceType="m5.large")
    aws.equal(credits(aws, standard, old, none), dict.fromkeys((standard, old, none), "standard"))


@case
def an_unlimited_instance_is_listed_without_being_named_and_remembers_it(aws):
    image = aws.image()
    one, plain = aws.launch(image=image), aws.launch(image=image, InstanceType="m5.large")
    aws.equal(credits(aws), {one: "unlimited"})
    answer = aws.ec2.modify_instance_credit_specification(InstanceCreditSpecifications=[
        {"InstanceId": one, "CpuCredits": "standard"}, {"InstanceId": plain, "CpuCredits": "standard"},
        {"InstanceId": "i-0123456789abcdef0", "CpuCredits": "standard"},
    ])
    aws.equal(answer["SuccessfulInstanceCreditSpecifications"], [{"InstanceId": one}])
    failed = {each["InstanceId"]: each["Error"]["Code"] for each in answer["UnsuccessfulInstanceCreditSpecifications"]}
    aws.equal(
        failed,
        {plain: "InstanceCreditSpecification.NotSupported", "i-0123456789abcdef0": "InvalidInstanceID.NotFound"},
    )
    aws.equal(credits(aws), {})
    aws.equal(credits(aws, one), {one: "standard"})


@case
def credits_of_a_type_without_any_are_not_launched(aws):
    aws.refused(
        "InstanceCreditSpecification.NotSupported", aws.ec2.run_instances, ImageId=aws.image(), InstanceType="m5.large",
        MinCount=1, MaxCount=1, CreditSpecification={"CpuCredits": "standard"},
    )


@case
def a_type_without_ebs_optimisation_is_not_launched_with_it(aws):
    aws.refused(
        "Unsupported", aws.ec2.run_instances, ImageId=aws.image(), InstanceType="t2.micro", MinCount=1, MaxCount=1,
        EbsOptimized=True,
    )


@case
def a_first_boot_is_not_stopped(aws):
    one = aws.launch(settled=False)
    aws.refused("IncorrectInstanceState", aws.ec2.stop_instances, InstanceIds=[one])
    aws.settle(one, "running")
    aws.ec2.stop_instances(InstanceIds=[one])


@sim_case
def an_event_with_a_deadline_is_put_off_up_to_it(aws):
    one = aws.launch()
    event = aws.control("event", id=one, code="instance-stop", seconds=7200, deadline_seconds=86400)["event"]
    with aws.quietly():
        status = aws.ec2.describe_instance_status(InstanceIds=[one], IncludeAllInstances=True)["InstanceStatuses"][0]
    told = status["Events"][0]
    later = told["NotBefore"] + timedelta(hours=10)
    moved = aws.ec2.modify_instance_event_start_time(InstanceId=one, InstanceEventId=event, NotBefore=later)["Event"]
    aws.equal((moved["InstanceEventId"], moved["NotBefore"]), (event, later))
    aws.advance(8000)
    aws.equal(aws.instance(one)["State"]["Name"], "running")
    for bad in (told["NotBeforeDeadline"] + timedelta(seconds=1), told["NotBefore"]):
        aws.refused(
            "InvalidInstanceEventStartTime", aws.ec2.modify_instance_event_start_time, InstanceId=one,
            InstanceEventId=event, NotBefore=bad,
        )
    aws.advance(10 * 3600)
    aws.settle(one, "stopped")


@sim_case
def an_event_without_a_deadline_or_that_is_not_there_is_not_put_off(aws):
    one = aws.launch()
    event = aws.control("event", id=one, code="instance-retirement", seconds=7200)["event"]
    with aws.quietly():
        status = aws.ec2.describe_instance_status(InstanceIds=[one])["InstanceStatuses"][0]
    later = status["Events"][0]["NotBefore"] + timedelta(hours=1)
    for known, code in ((event, "InvalidInstanceEventStartTime"), ("instance-event-0", "InvalidInstanceEventIDNotFound")):
        aws.refused(
            code, aws.ec2.modify_instance_event_start_time, InstanceId=one, InstanceEventId=known, NotBefore=later
        )
