"""Images: made, described, shared, disabled, deprecated, gone; and what instances say of theirs."""

from datetime import UTC, datetime

from case import case, sim_case


def states(answer):
    return [(one["ImageId"], one["State"]) for one in answer["Images"]]


def metadata(aws, one):
    """What the witness says of an instance's image."""
    return aws.ec2.describe_instance_image_metadata(InstanceIds=[one])["InstanceImageMetadata"][0]["ImageMetadata"]


@case
def an_image_is_registered_from_a_snapshot_and_described(aws):
    image = aws.image(Name="tis-base-1", Description="base")
    found = aws.ec2.describe_images(ImageIds=[image])["Images"][0]
    aws.equal((found["Name"], found["State"]), ("tis-base-1", "available"))
    aws.equal(found["Public"], False)
    aws.true(found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"].startswith("snap-"), "its disk has a snapshot")


@case
def registering_answers_with_the_new_id(aws):
    snapshot = aws.image_of(aws.image())["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    disk = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}
    made = aws.ec2.register_image(
        Name="other", Architecture="arm64", RootDeviceName="/dev/xvda", VirtualizationType="hvm",
        BlockDeviceMappings=[disk],
    )
    aws.true(made["ImageId"].startswith("ami-"), made["ImageId"])


@case
def the_root_device_of_an_image_on_a_snapshot_is_ebs(aws):
    aws.equal(aws.image_of(aws.image())["RootDeviceType"], "ebs")


@case
def an_image_is_made_of_a_running_instance(aws):
    one = aws.launch()
    made = aws.ec2.create_image(InstanceId=one, Name="rescue-1", NoReboot=True)["ImageId"]
    aws.until(lambda: aws.image_of(made)["State"] == "available", f"{made} is available")
    found = aws.ec2.describe_images(ImageIds=[made])["Images"][0]
    aws.equal((found["Name"], found["SourceInstanceId"]), ("rescue-1", one))
    other = aws.launch(image=made)
    aws.equal(aws.instance(other)["ImageId"], made)


@case
def an_image_is_copied(aws):
    image = aws.image()
    copy = aws.ec2.copy_image(SourceImageId=image, SourceRegion="eu-west-2", Name="copy")["ImageId"]
    aws.until(lambda: aws.image_of(copy)["State"] == "available", f"{copy} is available")
    aws.equal(aws.image_of(copy)["Name"], "copy")


@case
def images_are_found_by_owner_and_name(aws):
    first, second = aws.image(Name="tis-base-1"), aws.image(Name="tis-base-2")
    aws.image(Name="other")
    named = [{"Name": "name", "Values": ["tis-base-*"]}]
    found = aws.ec2.describe_images(Owners=["self"], Filters=named)
    aws.equal({one["ImageId"] for one in found["Images"]}, {first, second})
    aws.equal(states(aws.ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["none"]}])), [])


@case
def a_deregistered_image_is_in_no_answer(aws):
    image = aws.image()
    aws.ec2.deregister_image(ImageId=image)
    aws.equal(states(aws.ec2.describe_images(Owners=["self"])), [])
    aws.refused("InvalidAMIID.Unavailable", aws.ec2.deregister_image, ImageId=image)


@case
def an_image_that_nothing_refers_to_is_not_found_once_deregistered(aws):
    image = aws.image()
    aws.ec2.deregister_image(ImageId=image)
    aws.advance(3600)
    aws.refused("InvalidAMIID.NotFound", aws.ec2.describe_images, ImageIds=[image])


@case
def an_image_that_an_instance_refers_to_answers_empty_once_deregistered(aws):
    image = aws.image()
    one = aws.launch(image=image)
    aws.ec2.deregister_image(ImageId=image)
    aws.advance(3600)
    aws.equal(aws.ec2.describe_images(ImageIds=[image])["Images"], [])
    aws.equal(aws.instance(one)["ImageId"], image, "the instance goes on, and names it")


@case
def an_unknown_or_malformed_image_id_is_refused(aws):
    aws.refused("InvalidAMIID.NotFound", aws.ec2.describe_images, ImageIds=["ami-0123456789abcdef0"])
    aws.refused("InvalidAMIID.Malformed", aws.ec2.describe_images, ImageIds=["nonsense"])


@case
def an_image_is_disabled_and_enabled_again(aws):
    image = aws.image()
    aws.equal(aws.ec2.disable_image(ImageId=image)["Return"], True)
    aws.equal(aws.ec2.enable_image(ImageId=image)["Return"], True)
    aws.equal(states(aws.ec2.describe_images(ImageIds=[image])), [(image, "available")])


@case
def a_disabled_image_is_hidden_unless_asked_for_and_can_be_enabled_again(aws):
    image = aws.image()
    aws.equal(aws.ec2.disable_image(ImageId=image)["Return"], True)
    aws.equal(states(aws.ec2.describe_images(Owners=["self"])), [])
    aws.equal(states(aws.ec2.describe_images(Owners=["self"], IncludeDisabled=True)), [(image, "disabled")])
    aws.equal(aws.ec2.enable_image(ImageId=image)["Return"], True)
    aws.equal(states(aws.ec2.describe_images(Owners=["self"])), [(image, "available")])


@case
def a_deprecated_image_still_answers_its_owner_and_still_launches(aws):
    image = aws.image()
    at = f"{datetime.now(UTC).year + 1}-12-01T00:00:00"
    aws.ec2.enable_image_deprecation(ImageId=image, DeprecateAt=at + "Z")
    found = aws.ec2.describe_images(ImageIds=[image])["Images"][0]
    aws.equal(found["DeprecationTime"], at + ".000Z")
    aws.launch(image=image)
    aws.ec2.disable_image_deprecation(ImageId=image)
    aws.true("DeprecationTime" not in aws.image_of(image), "it is not deprecated any more")


@case
def permissions_to_launch_are_given_and_taken(aws):
    image = aws.image()
    give = {"Add": [{"UserId": "111122223333"}]}
    aws.ec2.modify_image_attribute(ImageId=image, LaunchPermission=give)
    found = aws.ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")
    aws.equal(found["LaunchPermissions"], [{"UserId": "111122223333"}])
    aws.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Remove": [{"UserId": "111122223333"}]})
    found = aws.ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")
    aws.equal(found["LaunchPermissions"], [])


@case
def an_image_is_another_accounts_to_use_only_while_it_is_shared(aws):
    theirs = aws.as_key("ec2", key="111122223333")
    image = aws.image()
    aws.refused("InvalidAMIID.NotFound", theirs.describe_images, ImageIds=[image])
    share = {"Add": [{"UserId": "111122223333"}]}
    aws.ec2.modify_image_attribute(ImageId=image, LaunchPermission=share)
    aws.equal(states(theirs.describe_images(ImageIds=[image])), [(image, "available")])
    aws.equal(states(theirs.describe_images(Owners=["self"])), [])
    made = theirs.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    one = made["Instances"][0]["InstanceId"]
    aws.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Remove": [{"UserId": "111122223333"}]})
    found = theirs.describe_instance_image_metadata(InstanceIds=[one])["InstanceImageMetadata"][0]
    aws.equal((found["ImageMetadata"]["State"], found["ImageMetadata"]["OwnerId"]), ("available", "123456789012"))
    wanted = {"InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    aws.refused("AuthFailure", theirs.run_instances, status=403, ImageId=image, **wanted)


@case
def the_witness_names_the_state_of_an_instances_image(aws):
    image = aws.image(Name="tis-base-1")
    one = aws.launch(image=image)
    seen = metadata(aws, one)
    aws.equal((seen["ImageId"], seen["State"], seen["Name"]), (image, "available", "tis-base-1"))
    aws.equal((seen["OwnerId"], seen["IsPublic"], seen["ImageAllowed"]), ("123456789012", False, True))
    with aws.quietly():
        aws.ec2.disable_image(ImageId=image)
    aws.equal(metadata(aws, one)["State"], "disabled")
    with aws.quietly():
        aws.ec2.enable_image(ImageId=image)
        aws.ec2.deregister_image(ImageId=image)
    aws.equal(metadata(aws, one)["State"], "deregistered")


@case
def two_images_do_not_share_a_name(aws):
    aws.image(Name="tis-base-1")
    disk = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}
    aws.refused(
        "InvalidAMIName.Duplicate", aws.ec2.register_image, Name="tis-base-1", Architecture="x86_64",
        RootDeviceName="/dev/xvda", VirtualizationType="hvm", BlockDeviceMappings=[disk],
    )


@case
def permissions_to_launch_are_reset(aws):
    image = aws.image()
    with aws.quietly():
        aws.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": "111122223333"}]})
    aws.ec2.reset_image_attribute(ImageId=image, Attribute="launchPermission")
    found = aws.ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")
    aws.equal(found["LaunchPermissions"], [])


@case
def with_allowed_images_on_a_disallowed_image_vanishes_and_the_witness_says_so(aws):
    aws.equal(aws.ec2.get_allowed_images_settings()["State"], "disabled")
    theirs = aws.as_key("ec2", key="111122223333")
    image = aws.image()
    aws.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": "111122223333"}]})
    made = theirs.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    one = made["Instances"][0]["InstanceId"]
    theirs.enable_allowed_images_settings(AllowedImagesSettingsState="enabled")
    theirs.replace_image_criteria_in_allowed_images_settings(ImageCriteria=[{"ImageProviders": ["amazon"]}])
    aws.equal(theirs.get_allowed_images_settings()["State"], "enabled")
    aws.refused("InvalidAMIID.NotFound", theirs.describe_images, ImageIds=[image])
    found = theirs.describe_instance_image_metadata(InstanceIds=[one])["InstanceImageMetadata"][0]["ImageMetadata"]
    aws.equal((found["ImageAllowed"], found["State"]), (False, "available"))
    theirs.disable_allowed_images_settings()
    aws.equal(states(theirs.describe_images(ImageIds=[image])), [(image, "available")])


@case
def without_a_rule_of_the_recycle_bin_nothing_is_in_it(aws):
    image = aws.image()
    aws.ec2.deregister_image(ImageId=image)
    aws.equal(aws.ec2.list_images_in_recycle_bin()["Images"], [])
    aws.refused("InvalidAMIID.NotFound", aws.ec2.restore_image_from_recycle_bin, ImageId=image)


@case
def allowed_images_are_chosen_by_their_owners(aws):
    image = aws.image()
    theirs = aws.as_key("ec2", key="111122223333")
    aws.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": "111122223333"}]})
    theirs.enable_allowed_images_settings(AllowedImagesSettingsState="enabled")
    wanted = [{"ImageProviders": ["123456789012"]}]
    answer = theirs.replace_image_criteria_in_allowed_images_settings(ImageCriteria=wanted)
    aws.equal(answer["ReturnValue"], True)
    aws.equal(theirs.get_allowed_images_settings()["ImageCriteria"], wanted)
    aws.equal(states(theirs.describe_images(ImageIds=[image])), [(image, "available")])


@sim_case
def the_recycle_bin_keeps_a_deregistered_image_for_its_time_and_gives_it_back(aws):
    aws.control("image-retention", region="eu-west-2", seconds=3600)
    image = aws.image(Name="tis-base-1")
    aws.ec2.deregister_image(ImageId=image)
    aws.equal([one["ImageId"] for one in aws.ec2.list_images_in_recycle_bin()["Images"]], [image])
    aws.equal(aws.ec2.restore_image_from_recycle_bin(ImageId=image)["Return"], True)
    aws.until(lambda: aws.image_of(image)["State"] == "available", "it is back")
    aws.ec2.deregister_image(ImageId=image)
    aws.advance(3601)
    aws.equal(aws.ec2.list_images_in_recycle_bin()["Images"], [])
