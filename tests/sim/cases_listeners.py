"""Load balancers, their listeners and rules."""

from case import case
from cases_balancing import balancer, group


def listener(aws, lb, arn, port=80):
    forward = [{"Type": "forward", "TargetGroupArn": arn}]
    made = aws.elbv2.create_listener(LoadBalancerArn=lb, Protocol="HTTP", Port=port, DefaultActions=forward)
    return made["Listeners"][0]["ListenerArn"]


@case
def a_load_balancer_is_provisioned_described_and_deleted(aws):
    made = aws.elbv2.create_load_balancer(Name="tis", Subnets=aws.subnets(), Scheme="internal")["LoadBalancers"][0]
    arn = made["LoadBalancerArn"]
    aws.equal((made["Type"], made["Scheme"], made["VpcId"]), ("application", "internal", aws.vpc()))
    aws.equal({zone["ZoneName"] for zone in made["AvailabilityZones"]}, {f"eu-west-2{z}" for z in "abc"})

    def is_active():
        found = aws.elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
        return found["State"]["Code"] == "active"

    aws.until(is_active, "it is active")
    found = aws.elbv2.describe_load_balancers(Names=["tis"])["LoadBalancers"]
    aws.equal([one["LoadBalancerArn"] for one in found], [arn])
    aws.elbv2.delete_load_balancer(LoadBalancerArn=arn)
    aws.refused("LoadBalancerNotFound", aws.elbv2.describe_load_balancers, LoadBalancerArns=[arn])


@case
def a_load_balancer_that_is_not_there_is_refused(aws):
    aws.refused("LoadBalancerNotFound", aws.elbv2.describe_load_balancers, Names=["none"])


@case
def an_application_load_balancer_needs_two_zones(aws):
    subnets = aws.subnets()[:1]
    aws.refused("ValidationError", aws.elbv2.create_load_balancer, Name="tis", Subnets=subnets)


@case
def a_load_balancer_has_attributes(aws):
    lb = balancer(aws)
    wanted = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    aws.elbv2.modify_load_balancer_attributes(LoadBalancerArn=lb, Attributes=wanted)
    found = aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=lb)["Attributes"]
    found = {one["Key"]: one["Value"] for one in found}
    aws.equal(found["deletion_protection.enabled"], "true")


@case
def a_protected_load_balancer_is_not_deleted(aws):
    lb = balancer(aws)
    with aws.quietly():
        wanted = [{"Key": "deletion_protection.enabled", "Value": "true"}]
        aws.elbv2.modify_load_balancer_attributes(LoadBalancerArn=lb, Attributes=wanted)
    aws.refused("OperationNotPermitted", aws.elbv2.delete_load_balancer, LoadBalancerArn=lb)


@case
def cross_zone_balancing_is_on_in_a_new_application_load_balancer(aws):
    found = aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=balancer(aws))["Attributes"]
    aws.equal({one["Key"]: one["Value"] for one in found}["load_balancing.cross_zone.enabled"], "true")


@case
def a_listener_is_made_described_modified_and_deleted(aws):
    lb, blue, green = balancer(aws), group(aws, "blue"), group(aws, "green")
    made = listener(aws, lb, blue)
    found = aws.elbv2.describe_listeners(LoadBalancerArn=lb)["Listeners"]
    aws.equal([(one["ListenerArn"], one["Port"], one["Protocol"]) for one in found], [(made, 80, "HTTP")])
    aws.equal(found[0]["DefaultActions"][0]["TargetGroupArn"], blue)
    in_use = aws.elbv2.describe_target_groups(TargetGroupArns=[blue])["TargetGroups"][0]
    aws.equal(in_use["LoadBalancerArns"], [lb])
    forward = [{"Type": "forward", "TargetGroupArn": green}]
    aws.elbv2.modify_listener(ListenerArn=made, DefaultActions=forward)
    again = aws.elbv2.describe_listeners(ListenerArns=[made])["Listeners"][0]
    aws.equal(again["DefaultActions"][0]["TargetGroupArn"], green)
    aws.elbv2.delete_listener(ListenerArn=made)
    aws.refused("ListenerNotFound", aws.elbv2.describe_listeners, ListenerArns=[made])


@case
def two_listeners_do_not_share_a_port(aws):
    lb, arn = balancer(aws), group(aws)
    listener(aws, lb, arn)
    other = group(aws, "other")
    forward = [{"Type": "forward", "TargetGroupArn": other}]
    aws.refused(
        "DuplicateListener", aws.elbv2.create_listener, LoadBalancerArn=lb, Protocol="HTTP", Port=80,
        DefaultActions=forward,
    )


@case
def a_rule_sends_a_path_to_another_group(aws):
    lb, arn, upload = balancer(aws), group(aws), group(aws, "tis-upload", 8443)
    made = listener(aws, lb, arn)
    rule = aws.elbv2.create_rule(
        ListenerArn=made, Priority=10, Conditions=[{"Field": "path-pattern", "Values": ["/upload/*"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": upload}],
    )["Rules"][0]
    aws.equal((rule["Priority"], rule["IsDefault"]), ("10", False))
    found = aws.elbv2.describe_rules(ListenerArn=made)["Rules"]
    aws.equal(sorted(one["Priority"] for one in found), ["10", "default"])
    aws.elbv2.delete_rule(RuleArn=rule["RuleArn"])
    aws.equal([one["IsDefault"] for one in aws.elbv2.describe_rules(ListenerArn=made)["Rules"]], [True])


@case
def rules_are_changed_and_reordered(aws):
    lb, arn, upload = balancer(aws), group(aws), group(aws, "tis-upload", 8443)
    made = listener(aws, lb, arn)
    forward = [{"Type": "forward", "TargetGroupArn": upload}]
    paths = [{"Field": "path-pattern", "Values": ["/upload/*"]}]
    rule = aws.elbv2.create_rule(ListenerArn=made, Priority=10, Conditions=paths, Actions=forward)["Rules"][0]["RuleArn"]
    hosts = [{"Field": "host-header", "Values": ["upload.example.org"]}]
    changed = aws.elbv2.modify_rule(RuleArn=rule, Conditions=hosts)["Rules"][0]
    aws.equal(changed["Conditions"][0]["Field"], "host-header")
    moved = aws.elbv2.set_rule_priorities(RulePriorities=[{"RuleArn": rule, "Priority": 5}])["Rules"]
    aws.equal([one["Priority"] for one in moved], ["5"])
    aws.refused("RuleNotFound", aws.elbv2.describe_rules, RuleArns=[rule[:-4] + "0000"])


@case
def a_load_balancers_subnets_and_security_groups_are_replaced(aws):
    lb = balancer(aws, subnets=2)
    zones = aws.elbv2.set_subnets(LoadBalancerArn=lb, Subnets=aws.subnets())["AvailabilityZones"]
    aws.equal(len(zones), 3)
    with aws.quietly():
        made = aws.ec2.create_security_group(GroupName="lb", Description="balancer", VpcId=aws.vpc())["GroupId"]
    aws.equal(aws.elbv2.set_security_groups(LoadBalancerArn=lb, SecurityGroups=[made])["SecurityGroupIds"], [made])


@case
def the_accounts_limits_are_told(aws):
    found = {one["Name"]: one["Max"] for one in aws.elbv2.describe_account_limits()["Limits"]}
    aws.equal(found["targets-per-target-group"], "1000")
