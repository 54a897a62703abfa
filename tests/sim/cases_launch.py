"""RunInstances: its token, and what it refuses."""

from case import case


def launch(aws, image, **params):
    wanted = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    return aws.ec2.run_instances(**{**wanted, **params})["Instances"][0]["InstanceId"]


@case
def the_same_token_launches_once(aws):
    image = aws.image()
    one = launch(aws, image, ClientToken="repair-1")
    aws.equal(launch(aws, image, ClientToken="repair-1"), one)
    aws.true(launch(aws, image, ClientToken="repair-2") != one, "another token is another launch")
    aws.settle(one, "running")
    aws.equal(aws.instance(one)["ClientToken"], "repair-1")


@case
def the_same_token_with_other_parameters_is_refused(aws):
    image = aws.image()
    launch(aws, image, ClientToken="repair-1")
    wanted = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "ClientToken": "repair-1"}
    aws.refused("IdempotentParameterMismatch", aws.ec2.run_instances, InstanceType="t3.large", **wanted)


@case
def the_token_of_a_terminated_instance_launches_nothing(aws):
    image = aws.image()
    one = launch(aws, image, ClientToken="repair-1")
    aws.settle(one, "running")
    with aws.quietly():
        aws.ec2.terminate_instances(InstanceIds=[one])
    aws.settle(one, "terminated")
    wanted = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "ClientToken": "repair-1"}
    aws.refused("IdempotentInstanceTerminated", aws.ec2.run_instances, **wanted)


@case
def a_token_has_at_most_64_characters(aws):
    image = aws.image()
    wanted = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    aws.refused("InvalidParameterValue", aws.ec2.run_instances, ClientToken="x" * 65, **wanted)


@case
def an_image_that_is_gone_disabled_or_unknown_is_not_launched(aws):
    wanted = {"InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    aws.refused("InvalidAMIID.NotFound", aws.ec2.run_instances, ImageId="ami-0123456789abcdef0", **wanted)
    aws.refused("InvalidAMIID.Malformed", aws.ec2.run_instances, ImageId="no-image", **wanted)
    gone = aws.image()
    aws.ec2.deregister_image(ImageId=gone)
    aws.refused("InvalidAMIID.NotFound", aws.ec2.run_instances, ImageId=gone, **wanted)
    disabled = aws.image(Name="other")
    aws.ec2.disable_image(ImageId=disabled)
    aws.refused("InvalidAMIID.Unavailable", aws.ec2.run_instances, ImageId=disabled, **wanted)


@case
def a_launch_into_a_subnet_lands_in_its_zone(aws):
    image = aws.image()
    subnet = aws.subnets()[1]
    one = launch(aws, image, SubnetId=subnet)
    aws.settle(one, "running")
    found = aws.instance(one)
    aws.equal((found["SubnetId"], found["Placement"]["AvailabilityZone"]), (subnet, "eu-west-2b"))


@case
def a_launch_that_names_what_is_not_there_is_refused(aws):
    image = aws.image()
    wanted = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    for code, params in {
        "InvalidSubnetID.NotFound": {"SubnetId": "subnet-0123456789abcdef0"},
        "InvalidGroup.NotFound": {"SecurityGroupIds": ["sg-0123456789abcdef0"]},
        "InvalidLaunchTemplateId.NotFound": {"LaunchTemplate": {"LaunchTemplateId": "lt-0123456789abcdef0"}},
    }.items():
        aws.refused(code, aws.ec2.run_instances, **wanted, **params)


@case
def a_launch_of_fewer_than_one_or_without_an_image_is_refused(aws):
    image = aws.image()
    aws.refused("InvalidParameterValue", aws.ec2.run_instances, ImageId=image, MinCount=0, MaxCount=1)
    aws.refused("InvalidParameterValue", aws.ec2.run_instances, ImageId=image, MinCount=2, MaxCount=1)
    aws.refused("MissingParameter", aws.ec2.run_instances, MinCount=1, MaxCount=1)


@case
def a_protected_instance_is_not_terminated(aws):
    one = aws.launch(DisableApiTermination=True)
    attribute = aws.ec2.describe_instance_attribute(InstanceId=one, Attribute="disableApiTermination")
    aws.equal(attribute["DisableApiTermination"], {"Value": True})
    aws.refused("OperationNotPermitted", aws.ec2.terminate_instances, InstanceIds=[one])
    aws.ec2.modify_instance_attribute(InstanceId=one, DisableApiTermination={"Value": False})
    aws.ec2.terminate_instances(InstanceIds=[one])
    aws.settle(one, "terminated")


@case
def an_instance_keeps_what_it_was_launched_with(aws):
    one = aws.launch(UserData="#!/bin/sh\ntrue\n", MetadataOptions={"HttpTokens": "required"}, EbsOptimized=True)
    found = aws.instance(one)
    aws.equal(found["MetadataOptions"]["HttpTokens"], "required")
    data = aws.ec2.describe_instance_attribute(InstanceId=one, Attribute="userData")["UserData"]["Value"]
    aws.equal(data, "IyEvYmluL3NoCnRydWUK")
    kind = aws.ec2.describe_instance_attribute(InstanceId=one, Attribute="instanceType")["InstanceType"]["Value"]
    aws.equal(kind, "t3.micro")
