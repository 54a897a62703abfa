"""Load balancing: target groups, targets and their health."""

from case import case


def group(aws, name="tis-prod", port=8080, **params):
    """A new target group's ARN."""
    made = aws.elbv2.create_target_group(**{"Name": name, "Protocol": "HTTP", "Port": port, "VpcId": aws.vpc(), **params})
    return made["TargetGroups"][0]["TargetGroupArn"]


def balancer(aws, name="tis", subnets=3):
    """A new load balancer's ARN, once it is active."""
    with aws.quietly():
        made = aws.elbv2.create_load_balancer(Name=name, Subnets=aws.subnets()[:subnets])["LoadBalancers"][0]

    def is_active():
        found = aws.elbv2.describe_load_balancers(LoadBalancerArns=[made["LoadBalancerArn"]])["LoadBalancers"][0]
        return found["State"]["Code"] == "active"

    aws.until(is_active, f"{name} is active")
    return made["LoadBalancerArn"]


def served(aws, name="tis-prod", port=8080):
    """A target group that a listener forwards to."""
    with aws.quietly():
        arn = group(aws, name, port)
        forward = [{"Type": "forward", "TargetGroupArn": arn}]
        aws.elbv2.create_listener(LoadBalancerArn=balancer(aws), Protocol="HTTP", Port=80, DefaultActions=forward)
    return arn


def health(aws, arn, *targets):
    """(instance, port) -> (state, reason)."""
    params = {"Targets": [{"Id": one} for one in targets]} if targets else {}
    rows = aws.elbv2.describe_target_health(TargetGroupArn=arn, **params)["TargetHealthDescriptions"]
    return {
        (row["Target"]["Id"], row["Target"].get("Port")): (row["TargetHealth"]["State"], row["TargetHealth"].get("Reason"))
        for row in rows
    }


def settle(aws, arn, one, state, port=8080):
    aws.until(lambda: health(aws, arn).get((one, port), (None,))[0] == state, f"{one} {state}")


@case
def a_target_group_is_made_described_modified_and_deleted(aws):
    arn = group(aws, HealthCheckPath="/health", HealthCheckIntervalSeconds=10)
    found = aws.elbv2.describe_target_groups(Names=["tis-prod"])["TargetGroups"][0]
    aws.equal((found["TargetGroupArn"], found["Port"], found["TargetType"]), (arn, 8080, "instance"))
    aws.equal((found["HealthCheckPath"], found["HealthCheckIntervalSeconds"]), ("/health", 10))
    changed = aws.elbv2.modify_target_group(TargetGroupArn=arn, HealthCheckPath="/up", UnhealthyThresholdCount=3)
    aws.equal(changed["TargetGroups"][0]["HealthCheckPath"], "/up")
    aws.elbv2.delete_target_group(TargetGroupArn=arn)
    aws.refused("TargetGroupNotFound", aws.elbv2.describe_target_groups, TargetGroupArns=[arn])


@case
def target_groups_of_one_name_are_one_or_a_mistake(aws):
    arn = group(aws)
    aws.equal(group(aws), arn, "the same settings: the same group")
    aws.refused(
        "DuplicateTargetGroupName", aws.elbv2.create_target_group, Name="tis-prod", Protocol="HTTP", Port=9090,
        VpcId=aws.vpc(),
    )


@case
def a_target_group_that_is_not_there_is_refused(aws):
    none = "arn:aws:elasticloadbalancing:eu-west-2:123456789012:targetgroup/none/0123456789abcdef"
    aws.refused("TargetGroupNotFound", aws.elbv2.describe_target_groups, Names=["none"])
    aws.refused("TargetGroupNotFound", aws.elbv2.describe_target_health, TargetGroupArn=none)
    aws.refused("TargetGroupNotFound", aws.elbv2.register_targets, TargetGroupArn=none, Targets=[{"Id": "i-0a"}])


@case
def target_groups_come_in_pages(aws):
    for number in range(3):
        group(aws, f"tg-{number}")
    pages = aws.elbv2.pages("describe_target_groups", PaginationConfig={"PageSize": 2})
    aws.equal([len(page["TargetGroups"]) for page in pages], [2, 1])


@case
def a_group_without_targets_has_no_health_to_tell(aws):
    aws.equal(health(aws, group(aws)), {})


@case
def a_target_group_has_attributes(aws):
    arn = group(aws)
    wanted = [{"Key": "deregistration_delay.timeout_seconds", "Value": "60"}]
    aws.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=wanted)
    found = aws.elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    aws.equal({one["Key"]: one["Value"] for one in found}["deregistration_delay.timeout_seconds"], "60")


@case
def target_groups_are_tagged(aws):
    arn = group(aws, Tags=[{"Key": "Team", "Value": "tis"}])
    aws.elbv2.add_tags(ResourceArns=[arn], Tags=[{"Key": "Stage", "Value": "prod"}])
    found = aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"]
    aws.equal({tag["Key"]: tag["Value"] for tag in found[0]["Tags"]}, {"Team": "tis", "Stage": "prod"})
    aws.elbv2.remove_tags(ResourceArns=[arn], TagKeys=["Team"])
    found = aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"]
    aws.equal({tag["Key"]: tag["Value"] for tag in found[0]["Tags"]}, {"Stage": "prod"})


@case
def a_target_of_a_group_without_listener_is_unused(aws):
    one, arn = aws.launch(), group(aws)
    aws.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": one}])
    aws.equal(health(aws, arn), {(one, 8080): ("unused", "Target.NotInUse")})


@case
def a_new_target_is_initial_and_then_healthy(aws):
    one, arn = aws.launch(), served(aws)
    aws.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": one}])
    state, reason = health(aws, arn)[(one, 8080)]
    aws.equal(state, "initial")
    aws.true(reason in ("Elb.RegistrationInProgress", "Elb.InitialHealthChecking"), reason)
    settle(aws, arn, one, "healthy")


@case
def a_healthy_target_has_no_reason(aws):
    one, arn = aws.launch(), served(aws)
    aws.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": one}])
    settle(aws, arn, one, "healthy")
    aws.equal(health(aws, arn), {(one, 8080): ("healthy", None)})


@case
def a_target_that_is_stopped_is_unused_and_comes_back(aws):
    one, arn = aws.launch(), served(aws)
    with aws.quietly():
        aws.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": one}])
    settle(aws, arn, one, "healthy")
    with aws.quietly():
        aws.ec2.stop_instances(InstanceIds=[one])
    aws.settle(one, "stopped")
    settle(aws, arn, one, "unused")
    aws.equal(health(aws, arn), {(one, 8080): ("unused", "Target.InvalidState")})
    with aws.quietly():
        aws.ec2.start_instances(InstanceIds=[one])
    settle(aws, arn, one, "healthy")


@case
def a_deregistered_target_drains_and_is_then_unused(aws):
    one, arn = aws.launch(), served(aws)
    with aws.quietly():
        aws.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": one}])
    settle(aws, arn, one, "healthy")
    aws.elbv2.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": one}])
    aws.equal(health(aws, arn), {(one, 8080): ("draining", "Target.DeregistrationInProgress")})
    aws.advance(301)
    aws.equal(health(aws, arn), {})
    aws.equal(health(aws, arn, one), {(one, 8080): ("unused", "Target.NotRegistered")})


@case
def a_target_is_its_instance_and_its_port(aws):
    one, arn = aws.launch(), served(aws)
    both = [{"Id": one}, {"Id": one, "Port": 8443}]
    aws.elbv2.register_targets(TargetGroupArn=arn, Targets=both)
    aws.equal({port for _, port in health(aws, arn)}, {8080, 8443})
    aws.elbv2.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": one, "Port": 8443}])
    aws.advance(301)
    aws.equal({port for _, port in health(aws, arn)}, {8080})


@case
def only_a_running_instance_is_registered(aws):
    one, arn = aws.launch(), served(aws)
    with aws.quietly():
        aws.ec2.stop_instances(InstanceIds=[one])
    aws.settle(one, "stopped")
    aws.refused("InvalidTarget", aws.elbv2.register_targets, TargetGroupArn=arn, Targets=[{"Id": one}])
    none = [{"Id": "i-0123456789abcdef0"}]
    aws.refused("InvalidTarget", aws.elbv2.register_targets, TargetGroupArn=arn, Targets=none)


@case
def deregistering_what_is_not_registered_changes_nothing(aws):
    one, arn = aws.launch(), group(aws)
    aws.elbv2.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": one}])
    aws.equal(health(aws, arn), {})


@case
def a_target_group_in_use_is_not_deleted(aws):
    arn = served(aws)
    aws.refused("ResourceInUse", aws.elbv2.delete_target_group, TargetGroupArn=arn)
