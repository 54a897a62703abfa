"""Launch templates: versions, defaults, launches from them."""

from case import case


def template(aws, image, name="tis", **data):
    data = {"ImageId": image, "InstanceType": "t3.micro", **data}
    return aws.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)["LaunchTemplate"]


@case
def a_template_is_made_described_and_deleted(aws):
    made = template(aws, aws.image())
    aws.equal((made["LaunchTemplateName"], made["DefaultVersionNumber"], made["LatestVersionNumber"]), ("tis", 1, 1))
    found = aws.ec2.describe_launch_templates(LaunchTemplateNames=["tis"])["LaunchTemplates"]
    aws.equal([one["LaunchTemplateId"] for one in found], [made["LaunchTemplateId"]])
    aws.ec2.delete_launch_template(LaunchTemplateId=made["LaunchTemplateId"])
    aws.equal(aws.ec2.describe_launch_templates()["LaunchTemplates"], [])


@case
def a_deleted_template_is_not_found(aws):
    made = template(aws, aws.image())
    with aws.quietly():
        aws.ec2.delete_launch_template(LaunchTemplateId=made["LaunchTemplateId"])
    aws.refused(
        "InvalidLaunchTemplateId.NotFound", aws.ec2.describe_launch_templates,
        LaunchTemplateIds=[made["LaunchTemplateId"]],
    )


@case
def a_template_has_versions_of_which_one_is_the_default(aws):
    image = aws.image()
    one = template(aws, image)["LaunchTemplateId"]
    data = {"ImageId": image, "InstanceType": "t3.small"}
    made = aws.ec2.create_launch_template_version(LaunchTemplateId=one, LaunchTemplateData=data)
    aws.equal(made["LaunchTemplateVersion"]["VersionNumber"], 2)
    found = aws.ec2.describe_launch_template_versions(LaunchTemplateId=one, Versions=["$Default", "$Latest"])
    kinds = {v["VersionNumber"]: v["LaunchTemplateData"]["InstanceType"] for v in found["LaunchTemplateVersions"]}
    aws.equal(kinds, {1: "t3.micro", 2: "t3.small"})
    changed = aws.ec2.modify_launch_template(LaunchTemplateId=one, DefaultVersion="2")["LaunchTemplate"]
    aws.equal(changed["DefaultVersionNumber"], 2)


@case
def versions_of_a_template_are_deleted_but_not_the_default(aws):
    image = aws.image()
    one = template(aws, image)["LaunchTemplateId"]
    with aws.quietly():
        aws.ec2.create_launch_template_version(LaunchTemplateId=one, LaunchTemplateData={"ImageId": image})
    gone = aws.ec2.delete_launch_template_versions(LaunchTemplateId=one, Versions=["2"])
    aws.equal([v["VersionNumber"] for v in gone["SuccessfullyDeletedLaunchTemplateVersions"]], [2])
    kept = aws.ec2.delete_launch_template_versions(LaunchTemplateId=one, Versions=["1"])
    aws.equal([v["VersionNumber"] for v in kept["UnsuccessfullyDeletedLaunchTemplateVersions"]], [1])


@case
def an_instance_tells_the_template_that_would_make_it_again(aws):
    image = aws.image()
    one = aws.launch(image=image)
    data = aws.ec2.get_launch_template_data(InstanceId=one)["LaunchTemplateData"]
    aws.equal((data["ImageId"], data["InstanceType"]), (image, "t3.micro"))


@case
def the_data_of_an_instance_are_all_that_it_was_launched_with(aws):
    subnet, vpc = aws.subnets()[0], aws.vpc()
    with aws.quietly():
        aws.ec2.create_key_pair(KeyName="key")
        group = aws.ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    wanted = {
        "KeyName": "key", "UserData": "#!/bin/sh\ntrue\n", "EbsOptimized": True, "DisableApiTermination": True,
        "DisableApiStop": True, "InstanceInitiatedShutdownBehavior": "terminate", "Monitoring": {"Enabled": True},
        "CreditSpecification": {"CpuCredits": "standard"},
        "MetadataOptions": {
            "HttpTokens": "required", "HttpPutResponseHopLimit": 2, "HttpEndpoint": "enabled",
            "HttpProtocolIpv6": "disabled", "InstanceMetadataTags": "enabled",
        },
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}],
    }
    one = aws.launch(
        SubnetId=subnet, SecurityGroupIds=[group],
        IamInstanceProfile={"Arn": "arn:aws:iam::123456789012:instance-profile/web"}, **wanted,
    )
    data = aws.ec2.get_launch_template_data(InstanceId=one)["LaunchTemplateData"]
    aws.equal({name: data[name] for name in wanted}, {**wanted, "UserData": "IyEvYmluL3NoCnRydWUK"})
    aws.equal(data["IamInstanceProfile"], {"Arn": "arn:aws:iam::123456789012:instance-profile/web"})
    aws.equal((data["NetworkInterfaces"][0]["SubnetId"], data["NetworkInterfaces"][0]["Groups"]), (subnet, [group]))
    disk = data["BlockDeviceMappings"][0]["Ebs"]
    aws.true(disk["SnapshotId"] and disk["VolumeSize"] == 8 and disk["DeleteOnTermination"], disk)


@case
def a_template_of_an_instances_data_launches_its_like(aws):
    """What a person does with GetLaunchTemplateData: without the interface's id and address, which are taken."""
    one = aws.launch(MetadataOptions={"HttpTokens": "required"}, UserData="hello", EbsOptimized=True)
    data = aws.ec2.get_launch_template_data(InstanceId=one)["LaunchTemplateData"]
    for interface in data["NetworkInterfaces"]:
        for name in ("NetworkInterfaceId", "PrivateIpAddress", "PrivateIpAddresses"):
            interface.pop(name, None)
    aws.ec2.create_launch_template(LaunchTemplateName="like", LaunchTemplateData=data)
    made = aws.ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "like"}, MinCount=1, MaxCount=1)["Instances"][0]
    aws.equal((made["MetadataOptions"]["HttpTokens"], made["EbsOptimized"]), ("required", True))
    told = aws.ec2.describe_instance_attribute(InstanceId=made["InstanceId"], Attribute="userData")
    aws.equal(told["UserData"]["Value"], "aGVsbG8=")


@case
def a_launch_takes_from_a_template_what_it_does_not_say_itself(aws):
    image = aws.image()
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "from-template"}]}]
    one = template(aws, image, TagSpecifications=tags)["LaunchTemplateId"]
    made = aws.ec2.run_instances(LaunchTemplate={"LaunchTemplateId": one}, MinCount=1, MaxCount=1)["Instances"][0]
    aws.equal((made["ImageId"], made["InstanceType"]), (image, "t3.micro"))
    aws.equal({tag["Key"]: tag["Value"] for tag in made["Tags"]}["Name"], "from-template")
    other = aws.ec2.run_instances(
        LaunchTemplate={"LaunchTemplateName": "tis", "Version": "$Latest"}, InstanceType="t3.large",
        MinCount=1, MaxCount=1,
    )["Instances"][0]
    aws.equal(other["InstanceType"], "t3.large")


@case
def two_templates_do_not_share_a_name(aws):
    image = aws.image()
    template(aws, image)
    aws.refused(
        "InvalidLaunchTemplateName.AlreadyExistsException", aws.ec2.create_launch_template,
        LaunchTemplateName="tis", LaunchTemplateData={"ImageId": image},
    )


@case
def a_template_that_is_not_there_is_refused(aws):
    aws.refused(
        "InvalidLaunchTemplateId.NotFound", aws.ec2.describe_launch_templates,
        LaunchTemplateIds=["lt-0123456789abcdef0"],
    )
    aws.refused(
        "InvalidLaunchTemplateName.NotFoundException", aws.ec2.describe_launch_templates,
        LaunchTemplateNames=["none"],
    )
