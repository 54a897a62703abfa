"""Request limits, permissions, capacity and credentials: the codes and statuses that each service has for them."""

from case import case, sim_case


def until_throttled(call, most, **params):
    """How many calls pass before one is refused, and the refusal."""
    from botocore.exceptions import ClientError

    for count in range(most + 1):
        try:
            call(**params)
        except ClientError as err:
            return count, err.response["ResponseMetadata"]["HTTPStatusCode"], err.response["Error"]["Code"]
    return most + 1, None, None


@sim_case
def a_bare_listing_of_instances_has_a_bucket_of_50_that_refills_by_10_a_second(aws):
    aws.equal(until_throttled(aws.ec2.describe_instances, 60), (50, 503, "RequestLimitExceeded"))
    aws.advance(1)
    aws.equal(until_throttled(aws.ec2.describe_instances, 60), (10, 503, "RequestLimitExceeded"))
    aws.ec2.describe_instances(MaxResults=5)


@sim_case
def a_filtered_listing_has_a_bucket_of_100_that_refills_by_20_a_second(aws):
    running = [{"Name": "instance-state-name", "Values": ["running"]}]
    aws.equal(until_throttled(aws.ec2.describe_instances, 110, Filters=running), (100, 503, "RequestLimitExceeded"))
    aws.advance(2)
    aws.equal(until_throttled(aws.ec2.describe_instances, 110, Filters=running), (40, 503, "RequestLimitExceeded"))


@sim_case
def a_start_has_a_bucket_of_5_that_refills_by_2_a_second(aws):
    one = aws.launch()
    aws.equal(until_throttled(aws.ec2.start_instances, 10, InstanceIds=[one]), (5, 503, "RequestLimitExceeded"))
    aws.advance(2)
    aws.equal(until_throttled(aws.ec2.start_instances, 10, InstanceIds=[one]), (4, 503, "RequestLimitExceeded"))


@sim_case
def all_calls_of_load_balancing_share_a_bucket_of_40(aws):
    aws.equal(until_throttled(aws.elbv2.describe_target_groups, 50), (40, 400, "Throttling"))
    aws.refused("Throttling", aws.elbv2.describe_load_balancers)
    aws.advance(1)
    aws.elbv2.describe_load_balancers()


@sim_case
def each_service_has_its_own_words_for_throttling(aws):
    aws.control("fault", kind="throttle")
    aws.refused("RequestLimitExceeded", aws.ec2.describe_images, status=503, Owners=["self"])
    aws.refused("Throttling", aws.elbv2.describe_target_groups)
    aws.refused("Throttling", aws.autoscaling.describe_auto_scaling_groups)
    aws.refused("ThrottlingException", aws.ssm.get_parameter, Name="/a")
    aws.refused("Throttling", aws.sts.get_caller_identity)


@sim_case
def each_service_has_its_own_words_for_a_missing_permission(aws):
    aws.control("fault", kind="not-authorized")
    aws.refused("UnauthorizedOperation", aws.ec2.describe_images, status=403, Owners=["self"])
    aws.refused("AccessDenied", aws.elbv2.describe_target_groups, status=403)
    aws.refused("AccessDenied", aws.autoscaling.describe_auto_scaling_groups, status=403)
    aws.refused("AccessDeniedException", aws.ssm.get_parameter, Name="/a")
    aws.refused("AccessDenied", aws.sts.get_caller_identity, status=403)


@sim_case
def each_service_has_its_own_words_for_expired_credentials(aws):
    aws.control("fault", kind="expired-credentials")
    aws.refused("RequestExpired", aws.ec2.describe_images, Owners=["self"])
    aws.refused("ExpiredToken", aws.elbv2.describe_target_groups, status=403)
    aws.refused("ExpiredTokenException", aws.ssm.get_parameter, Name="/a")
    aws.refused("ExpiredToken", aws.sts.get_caller_identity, status=403)


@sim_case
def a_permission_that_was_taken_away_is_missed_at_once_and_the_rest_stays(aws):
    one = aws.launch()
    aws.control("deny", action="StopInstances")
    aws.refused("UnauthorizedOperation", aws.ec2.stop_instances, status=403, InstanceIds=[one])
    aws.refused("UnauthorizedOperation", aws.ec2.stop_instances, status=403, InstanceIds=[one], DryRun=True)
    aws.equal(aws.instance(one)["State"]["Name"], "running")


@sim_case
def a_zone_without_capacity_refuses_launches_and_starts_with_a_5xx(aws):
    image = aws.image()
    one = aws.launch(image=image, SubnetId=aws.subnets()[0])
    with aws.quietly():
        aws.ec2.stop_instances(InstanceIds=[one])
    aws.settle(one, "stopped")
    aws.control("capacity", zone="eu-west-2a", available=False)
    aws.refused("InsufficientInstanceCapacity", aws.ec2.start_instances, status=500, InstanceIds=[one])
    wanted = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    aws.refused(
        "InsufficientInstanceCapacity", aws.ec2.run_instances, status=500, SubnetId=aws.subnets()[0], **wanted
    )
    other = aws.ec2.run_instances(SubnetId=aws.subnets()[1], **wanted)["Instances"][0]
    aws.equal(other["Placement"]["AvailabilityZone"], "eu-west-2b", "another zone has some")
    aws.control("capacity", zone="eu-west-2a", available=True)
    aws.ec2.start_instances(InstanceIds=[one])


@sim_case
def what_is_not_modelled_is_a_400_that_names_it(aws):
    message = aws.refused("NotModelledBySimulation", aws.ec2.describe_spot_price_history)
    aws.true("DescribeSpotPriceHistory" in message, message)
    unknown = [{"Name": "no-such-filter", "Values": ["x"]}]
    message = aws.refused("NotModelledBySimulation", aws.ec2.describe_instances, Filters=unknown)
    aws.true("no-such-filter" in message, message)
    message = aws.refused("NotModelledBySimulation", aws.ssm.put_parameter, Name="/a", Value="b", Policies="[]")
    aws.true("Policies" in message, message)
    with aws.quietly():
        aws.refused("ParameterNotFound", aws.ssm.get_parameter, Name="/a")


@case
def an_auto_scaling_group_that_is_not_there_is_left_out(aws):
    found = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["none"])
    aws.equal(found["AutoScalingGroups"], [])
