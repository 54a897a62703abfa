"""What replacing an instance by its like needs: everything that it was launched with, read and asked for again; and whether
its image can still be launched, by the two witnesses.
"""

import base64

from case import case, sim_case

OTHER = "111122223333"
PROFILE = "arn:aws:iam::123456789012:instance-profile/tis"


def original(aws, image):
    """An instance on which everything that a clone carries is set to something unusual."""
    with aws.quietly():
        group = aws.ec2.create_security_group(GroupName="tis", Description="tis", VpcId=aws.vpc())["GroupId"]
        aws.ec2.create_key_pair(KeyName="tis")
    disk = {"VolumeSize": 20, "VolumeType": "gp3", "Iops": 4000, "Throughput": 250, "Encrypted": True,
            "DeleteOnTermination": False}
    return aws.launch(
        image=image, InstanceType="t3.small", SubnetId=aws.subnets()[1], SecurityGroupIds=[group], KeyName="tis",
        IamInstanceProfile={"Arn": PROFILE}, UserData="#!/bin/sh\ntrue\n", EbsOptimized=True, Monitoring={"Enabled": True},
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2, "InstanceMetadataTags": "enabled"},
        CreditSpecification={"CpuCredits": "standard"}, InstanceInitiatedShutdownBehavior="stop",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": disk}],
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "tis-prod-green"}, {"Key": "Team", "Value": "tis"}]},
            {"ResourceType": "volume", "Tags": [{"Key": "Backup", "Value": "daily"}]},
        ],
    )


def look(aws, one):
    """All that can be read of an instance and matters to a clone, without what is its own alone."""
    with aws.quietly():
        found = aws.ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]
        disk = found["BlockDeviceMappings"][0]
        volume = aws.ec2.describe_volumes(VolumeIds=[disk["Ebs"]["VolumeId"]])["Volumes"][0]
        credits = aws.ec2.describe_instance_credit_specifications(InstanceIds=[one])["InstanceCreditSpecifications"][0]
        data = aws.ec2.describe_instance_attribute(InstanceId=one, Attribute="userData")["UserData"].get("Value")
        shutdown = aws.ec2.describe_instance_attribute(InstanceId=one, Attribute="instanceInitiatedShutdownBehavior")
    return {
        "type": found["InstanceType"], "subnet": found["SubnetId"], "zone": found["Placement"]["AvailabilityZone"],
        "groups": [group["GroupId"] for group in found["SecurityGroups"]], "key": found["KeyName"],
        "profile": found["IamInstanceProfile"]["Arn"], "data": data, "monitoring": found["Monitoring"]["State"],
        "optimized": found["EbsOptimized"], "metadata": found["MetadataOptions"], "credits": credits["CpuCredits"],
        "shutdown": shutdown["InstanceInitiatedShutdownBehavior"]["Value"], "device": disk["DeviceName"],
        "kept": not disk["Ebs"]["DeleteOnTermination"],
        "disk": {name: volume[name] for name in ("Size", "VolumeType", "Iops", "Throughput", "Encrypted")},
        "tags": {tag["Key"]: tag["Value"] for tag in found["Tags"] if not tag["Key"].startswith("aws:")},
        "volume tags": {tag["Key"]: tag["Value"] for tag in volume["Tags"]},
    }


def tags(**named):
    return [{"Key": key, "Value": value} for key, value in named.items()]


def clone(aws, like, image, token="repair-1-1", **over):
    """One RunInstances that asks for everything that `look` has seen."""
    metadata = {name: value for name, value in like["metadata"].items() if name != "State"}
    disk = {**like["disk"], "VolumeSize": like["disk"]["Size"], "DeleteOnTermination": not like["kept"]}
    disk.pop("Size")
    wanted = {
        "ImageId": image, "MinCount": 1, "MaxCount": 1, "ClientToken": token, "InstanceType": like["type"],
        "SubnetId": like["subnet"], "SecurityGroupIds": like["groups"], "KeyName": like["key"],
        "IamInstanceProfile": {"Arn": like["profile"]}, "UserData": base64.b64decode(like["data"]).decode(),
        "Monitoring": {"Enabled": like["monitoring"] == "enabled"}, "EbsOptimized": like["optimized"],
        "MetadataOptions": metadata, "CreditSpecification": {"CpuCredits": like["credits"]},
        "InstanceInitiatedShutdownBehavior": like["shutdown"],
        "BlockDeviceMappings": [{"DeviceName": like["device"], "Ebs": disk}],
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": tags(**like["tags"])},
            {"ResourceType": "volume", "Tags": tags(**like["volume tags"])},
        ],
    }
    return aws.ec2.run_instances(**{**wanted, **over})["Instances"][0]["InstanceId"]


@case
def an_instance_is_cloned_onto_another_image_with_everything_that_it_has(aws):
    one = original(aws, aws.image())
    aws.advance(120)
    like = look(aws, one)
    made = clone(aws, like, aws.image(Name="newer"))
    aws.settle(made, "running")
    aws.advance(120)
    aws.equal(look(aws, made), like)
    aws.true(made != one and aws.instance(made)["PrivateIpAddress"] != aws.instance(one)["PrivateIpAddress"], "another one")


@case
def a_clone_is_asked_for_twice_and_made_once(aws):
    one = original(aws, aws.image())
    aws.advance(120)
    like, image = look(aws, one), aws.image(Name="newer")
    made = clone(aws, like, image)
    aws.equal(clone(aws, like, image), made)
    aws.refused("IdempotentParameterMismatch", lambda **over: clone(aws, like, image, **over), InstanceType="t3.large")


@case
def a_token_counts_in_the_zone_that_its_launch_names(aws):
    image, subnets = aws.image(), aws.subnets()
    wanted = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "ClientToken": "one"}
    first = aws.ec2.run_instances(SubnetId=subnets[0], **wanted)["Instances"][0]["InstanceId"]
    again = aws.ec2.run_instances(SubnetId=subnets[0], **wanted)["Instances"][0]["InstanceId"]
    other = aws.ec2.run_instances(SubnetId=subnets[1], **wanted)["Instances"][0]["InstanceId"]
    anywhere = aws.ec2.run_instances(**wanted)["Instances"][0]["InstanceId"]
    aws.equal((first == again, len({first, other, anywhere})), (True, 3))


@case
def an_image_for_version_2_of_the_metadata_service_asks_for_tokens(aws):
    newest = aws.ssm.get_parameter(Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
    image = newest["Parameter"]["Value"]
    one = aws.launch(image=image)
    options = aws.instance(one)["MetadataOptions"]
    aws.equal((options["HttpTokens"], options["HttpPutResponseHopLimit"]), ("required", 2))
    weaker = aws.launch(image=image, MetadataOptions={"HttpTokens": "optional", "HttpPutResponseHopLimit": 1})
    options = aws.instance(weaker)["MetadataOptions"]
    aws.equal((options["HttpTokens"], options["HttpPutResponseHopLimit"]), ("optional", 1))


@case
def a_clone_from_a_template_is_of_the_version_that_it_names(aws):
    image = aws.image()
    make = {"LaunchTemplateName": "tis"}
    with aws.quietly():
        aws.ec2.create_launch_template(**make, LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro"})
        data = {"ImageId": image, "InstanceType": "t3.small", "MetadataOptions": {"HttpTokens": "required"}}
        aws.ec2.create_launch_template_version(**make, LaunchTemplateData=data)
        aws.ec2.modify_launch_template(**make, DefaultVersion="2")
    found = aws.ec2.describe_launch_template_versions(**make, Versions=["$Default"])["LaunchTemplateVersions"][0]
    aws.equal((found["VersionNumber"], found["DefaultVersion"]), (2, True))
    number = str(found["VersionNumber"])
    with aws.quietly():
        aws.ec2.modify_launch_template(**make, DefaultVersion="1")
    made = aws.ec2.run_instances(LaunchTemplate={**make, "Version": number}, MinCount=1, MaxCount=1)["Instances"][0]
    aws.equal((made["InstanceType"], made["MetadataOptions"]["HttpTokens"]), ("t3.small", "required"))
    told = {tag["Key"]: tag["Value"] for tag in made["Tags"]}
    aws.equal(told["aws:ec2launchtemplate:version"], "2")
    wanted = {"LaunchTemplate": {**make, "Version": "7"}, "MinCount": 1, "MaxCount": 1}
    aws.refused("InvalidLaunchTemplateId.VersionNotFound", aws.ec2.run_instances, **wanted)


@case
def a_root_volume_is_not_made_smaller_than_its_snapshot(aws):
    disk = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 4}}]
    wanted = {"InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "BlockDeviceMappings": disk}
    aws.refused("InvalidBlockDeviceMapping", aws.ec2.run_instances, ImageId=aws.image(), **wanted)


@case
def a_clone_whose_key_or_group_or_type_is_gone_is_refused(aws):
    image = aws.image()
    wanted = {"ImageId": image, "MinCount": 1, "MaxCount": 1}
    aws.refused("InvalidKeyPair.NotFound", aws.ec2.run_instances, KeyName="gone", **wanted)
    aws.refused("InvalidGroup.NotFound", aws.ec2.run_instances, SecurityGroupIds=["sg-0123456789abcdef0"], **wanted)
    aws.refused("InvalidParameterValue", aws.ec2.run_instances, InstanceType="m6g.large", **wanted)
    bad = {"UserData": "x" * 16385, **wanted}
    aws.refused("InvalidParameterValue", aws.ec2.run_instances, **bad)


@case
def a_clone_onto_a_type_that_cannot_have_it_is_refused(aws):
    wanted = {"ImageId": aws.image(), "MinCount": 1, "MaxCount": 1}
    cores = {"CpuOptions": {"CoreCount": 4, "ThreadsPerCore": 2}}
    aws.refused("InvalidParameterValue", aws.ec2.run_instances, InstanceType="t3.micro", **cores, **wanted)
    made = aws.ec2.run_instances(InstanceType="m5.2xlarge", **cores, **wanted)["Instances"][0]
    aws.equal(made["CpuOptions"], {"CoreCount": 4, "ThreadsPerCore": 2})


@case
def a_launch_into_a_placement_group_that_is_not_there_is_refused(aws):
    wanted = {"ImageId": aws.image(), "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro"}
    aws.refused("InvalidPlacementGroup.Unknown", aws.ec2.run_instances, Placement={"GroupName": "gone"}, **wanted)


@case
def what_makes_no_sense_of_interfaces_and_devices_is_refused(aws):
    wanted = {"ImageId": aws.image(), "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro"}
    two = [{"DeviceIndex": n, "AssociatePublicIpAddress": True} for n in (0, 1)]
    aws.refused("InvalidParameterCombination", aws.ec2.run_instances, NetworkInterfaces=two, **wanted)
    empty = [{"DeviceName": "/dev/sdf"}]
    aws.refused("MissingParameter", aws.ec2.run_instances, BlockDeviceMappings=empty, **wanted)


@case
def a_private_address_is_asked_for_in_either_form(aws):
    image, subnet = aws.image(), aws.subnets()[0]
    wanted = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro"}
    plain = {"DeviceIndex": 0, "SubnetId": subnet, "PrivateIpAddress": "172.31.0.77"}
    listed = {"DeviceIndex": 0, "SubnetId": subnet, "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": "172.31.0.78"}]}
    made = [aws.ec2.run_instances(NetworkInterfaces=[one], **wanted)["Instances"][0] for one in (plain, listed)]
    aws.equal([one["PrivateIpAddress"] for one in made], ["172.31.0.77", "172.31.0.78"])


# What the two witnesses say of an image: DescribeImages by its id, and DescribeInstanceImageMetadata of an instance.


def witnesses(aws, ec2, image, one):
    """(what DescribeImages says, with disabled and deprecated ones; the state and whether it is allowed)."""
    with aws.quietly():
        try:
            found = ec2.describe_images(ImageIds=[image], IncludeDisabled=True, IncludeDeprecated=True)["Images"]
            listed = found[0]["State"] if found else "empty"
        except ec2.boto.exceptions.ClientError as err:
            listed = err.response["Error"]["Code"]
        of = ec2.describe_instance_image_metadata(InstanceIds=[one])["InstanceImageMetadata"][0]["ImageMetadata"]
    return listed, of["State"], of["ImageAllowed"]


def shared(aws, image, public=False):
    """Another account's client, and an instance that it launched from our image."""
    theirs = aws.as_key("ec2", key=OTHER)
    whom = {"Group": "all"} if public else {"UserId": OTHER}
    with aws.quietly():
        aws.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [whom]})
        made = theirs.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    return theirs, made["Instances"][0]["InstanceId"]


@sim_case
def an_image_of_ones_own_is_gone_disabled_or_back(aws):
    image = aws.image()
    one = aws.launch(image=image)
    verdict = lambda: witnesses(aws, aws.ec2, image, one)
    aws.equal(verdict(), ("available", "available", True))
    aws.control("image", id=image, action="deprecate")
    aws.equal(verdict(), ("available", "available", True))
    aws.control("image", id=image, action="disable")
    aws.equal(verdict(), ("disabled", "disabled", True))
    aws.control("image", id=image, action="restore")
    aws.equal(verdict(), ("available", "available", True))
    aws.control("image", id=image, action="deregister")
    aws.equal(verdict(), ("deregistered", "deregistered", True))
    aws.advance(60)
    aws.equal(verdict(), ("empty", "deregistered", True))
    aws.control("image", id=image, action="restore")
    aws.equal(verdict(), ("available", "available", True))


@sim_case
def a_shared_image_is_private_once_its_permission_is_revoked(aws):
    image = aws.image()
    theirs, one = shared(aws, image)
    verdict = lambda: witnesses(aws, theirs, image, one)
    aws.equal(verdict(), ("available", "available", True))
    aws.control("image", id=image, action="unshare", account=OTHER)
    aws.equal(verdict(), ("empty", "available", True))
    aws.control("image", id=image, action="share", account=OTHER)
    aws.control("image", id=image, action="disallow", account=OTHER)
    aws.equal(verdict(), ("InvalidAMIID.NotFound", "available", False))
    aws.control("image", id=image, action="allow", account=OTHER)
    aws.control("image", id=image, action="disable")
    aws.equal(verdict(), ("empty", "disabled", True))
    aws.control("image", id=image, action="restore")
    aws.equal(verdict(), ("empty", "available", True), "who lost it does not get it back by itself")
    aws.control("image", id=image, action="deregister")
    aws.advance(60)
    aws.equal(verdict(), ("empty", "deregistered", True))


@sim_case
def a_public_image_is_private_once_it_is_public_no_more(aws):
    image = aws.image()
    theirs, one = shared(aws, image, public=True)
    verdict = lambda: witnesses(aws, theirs, image, one)
    aws.equal(verdict(), ("available", "available", True))
    with aws.quietly():
        aws.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Remove": [{"Group": "all"}]})
    aws.equal(verdict(), ("empty", "available", True))


@sim_case
def an_image_of_the_marketplace_is_launched_by_subscribers_only(aws):
    found = aws.ec2.describe_images(Owners=["aws-marketplace"])["Images"]
    image, code = found[0]["ImageId"], found[0]["ProductCodes"][0]["ProductCodeId"]
    wanted = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    aws.refused("OptInRequired", aws.ec2.run_instances, status=401, **wanted)
    aws.control("subscription", product_code=code)
    one = aws.ec2.run_instances(**wanted)["Instances"][0]["InstanceId"]
    told = aws.instance(one)["ProductCodes"]
    aws.equal(told, [{"ProductCodeId": code, "ProductCodeType": "marketplace"}])
    with aws.quietly():
        of = aws.ec2.describe_instance_image_metadata(InstanceIds=[one])["InstanceImageMetadata"][0]["ImageMetadata"]
    aws.equal((of["ImageOwnerAlias"], of["IsPublic"]), ("aws-marketplace", True))
    aws.equal(witnesses(aws, aws.ec2, image, one), ("available", "available", True))
