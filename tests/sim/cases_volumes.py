"""Volumes and snapshots."""

from case import case


def new_volume(aws, **params):
    with aws.quietly():
        made = aws.ec2.create_volume(**{"AvailabilityZone": "eu-west-2a", "Size": 8, **params})["VolumeId"]
    aws.until(lambda: aws.volume(made)["State"] == "available", f"{made} is available")
    return made


@case
def a_volume_is_made_tagged_described_and_deleted(aws):
    made = aws.ec2.create_volume(
        AvailabilityZone="eu-west-2a", Size=10, VolumeType="gp3",
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "data"}]}],
    )
    one = made["VolumeId"]
    aws.equal((made["Size"], made["VolumeType"], made["AvailabilityZone"]), (10, "gp3", "eu-west-2a"))
    aws.until(lambda: aws.volume(one)["State"] == "available", f"{one} is available")
    found = aws.ec2.describe_volumes(VolumeIds=[one])["Volumes"][0]
    aws.equal((found["State"], found["Tags"]), ("available", [{"Key": "Name", "Value": "data"}]))
    aws.ec2.delete_volume(VolumeId=one)
    aws.advance(600)
    aws.refused("InvalidVolume.NotFound", aws.ec2.describe_volumes, VolumeIds=[one])


@case
def a_volume_is_attached_and_detached(aws):
    one, disk = aws.launch(SubnetId=aws.subnets()[0]), new_volume(aws)
    aws.ec2.attach_volume(VolumeId=disk, InstanceId=one, Device="/dev/sdf")
    aws.until(lambda: aws.volume(disk)["Attachments"][0]["State"] == "attached", "attached")
    found = aws.ec2.describe_volumes(VolumeIds=[disk])["Volumes"][0]
    aws.equal(found["State"], "in-use")
    aws.equal([(a["InstanceId"], a["Device"]) for a in found["Attachments"]], [(one, "/dev/sdf")])
    aws.equal(len(aws.instance(one)["BlockDeviceMappings"]), 2)
    aws.ec2.detach_volume(VolumeId=disk, InstanceId=one)
    aws.until(lambda: aws.volume(disk)["State"] == "available", "available again")
    aws.equal(aws.volume(disk)["Attachments"], [])


@case
def a_volume_of_another_zone_is_not_attached(aws):
    one, disk = aws.launch(SubnetId=aws.subnets()[0]), new_volume(aws, AvailabilityZone="eu-west-2b")
    aws.refused("InvalidVolume.ZoneMismatch", aws.ec2.attach_volume, VolumeId=disk, InstanceId=one, Device="/dev/sdf")


@case
def an_attached_volume_is_not_deleted(aws):
    root = aws.instance(aws.launch())["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    aws.refused("VolumeInUse", aws.ec2.delete_volume, VolumeId=root)


@case
def a_volume_is_not_attached_twice(aws):
    one, other = aws.launch(count=2, SubnetId=aws.subnets()[0])
    disk = new_volume(aws)
    with aws.quietly():
        aws.ec2.attach_volume(VolumeId=disk, InstanceId=one, Device="/dev/sdf")
    aws.until(lambda: aws.volume(disk)["State"] == "in-use", "in use")
    aws.refused("VolumeInUse", aws.ec2.attach_volume, VolumeId=disk, InstanceId=other, Device="/dev/sdf")


@case
def a_root_volume_ends_with_its_instance_and_a_data_volume_does_not(aws):
    one, disk = aws.launch(SubnetId=aws.subnets()[0]), new_volume(aws)
    root = aws.instance(one)["BlockDeviceMappings"][0]["Ebs"]
    aws.equal(root["DeleteOnTermination"], True)
    with aws.quietly():
        aws.ec2.attach_volume(VolumeId=disk, InstanceId=one, Device="/dev/sdf")
    aws.until(lambda: aws.volume(disk)["Attachments"][0]["State"] == "attached", "attached")
    with aws.quietly():
        aws.ec2.terminate_instances(InstanceIds=[one])
    aws.settle(one, "terminated")
    aws.until(lambda: aws.volume(disk)["State"] == "available", "the data volume is free")
    aws.refused("InvalidVolume.NotFound", aws.ec2.describe_volumes, VolumeIds=[root["VolumeId"]])


@case
def a_snapshot_is_taken_described_and_deleted(aws):
    disk = new_volume(aws, Size=9)
    made = aws.ec2.create_snapshot(VolumeId=disk, Description="nightly")
    one = made["SnapshotId"]
    aws.equal((made["VolumeId"], made["VolumeSize"]), (disk, 9))
    aws.until(lambda: aws.snapshot(one)["State"] == "completed", f"{one} is completed")
    found = aws.ec2.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": "volume-id", "Values": [disk]}])
    aws.equal([(s["SnapshotId"], s["Description"]) for s in found["Snapshots"]], [(one, "nightly")])
    copy = new_volume(aws, SnapshotId=one, Size=20)
    aws.equal((aws.volume(copy)["SnapshotId"], aws.volume(copy)["Size"]), (one, 20))
    aws.ec2.delete_snapshot(SnapshotId=one)
    aws.refused("InvalidSnapshot.NotFound", aws.ec2.describe_snapshots, SnapshotIds=[one])


@case
def the_snapshot_of_an_image_is_not_deleted(aws):
    image = aws.image()
    snapshot = aws.image_of(image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    aws.refused("InvalidSnapshot.InUse", aws.ec2.delete_snapshot, SnapshotId=snapshot)


@case
def a_volume_that_is_not_there_is_refused(aws):
    none = "vol-0123456789abcdef0"
    aws.refused("InvalidVolume.NotFound", aws.ec2.describe_volumes, VolumeIds=[none])
    aws.refused("InvalidVolume.NotFound", aws.ec2.delete_volume, VolumeId=none)
    aws.refused("InvalidVolume.NotFound", aws.ec2.create_snapshot, VolumeId=none)
    one = aws.launch()
    aws.refused("InvalidVolume.NotFound", aws.ec2.attach_volume, VolumeId=none, InstanceId=one, Device="/dev/sdf")


def new_snapshot(aws, disk):
    with aws.quietly():
        made = aws.ec2.create_snapshot(VolumeId=disk)["SnapshotId"]
    aws.until(lambda: aws.snapshot(made)["State"] == "completed", f"{made} is completed")
    return made


@case
def a_snapshot_is_copied(aws):
    one = new_snapshot(aws, new_volume(aws))
    copy = aws.ec2.copy_snapshot(SourceSnapshotId=one, SourceRegion="eu-west-2", Description="copy")["SnapshotId"]
    aws.until(lambda: aws.snapshot(copy)["State"] == "completed", f"{copy} is completed")
    aws.equal(aws.snapshot(copy)["Description"], "copy")


@case
def snapshots_of_all_volumes_of_an_instance_are_taken_at_once(aws):
    one = aws.launch()
    root = aws.instance(one)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    made = aws.ec2.create_snapshots(InstanceSpecification={"InstanceId": one})["Snapshots"]
    aws.equal([each["VolumeId"] for each in made], [root])


@case
def permissions_on_a_snapshot_are_given_and_taken(aws):
    one = new_snapshot(aws, new_volume(aws))
    wanted = {"SnapshotId": one, "Attribute": "createVolumePermission"}
    aws.ec2.modify_snapshot_attribute(**wanted, OperationType="add", UserIds=["111122223333"])
    found = aws.ec2.describe_snapshot_attribute(**wanted)
    aws.equal(found["CreateVolumePermissions"], [{"UserId": "111122223333"}])
    aws.ec2.modify_snapshot_attribute(**wanted, OperationType="remove", UserIds=["111122223333"])
    aws.equal(aws.ec2.describe_snapshot_attribute(**wanted)["CreateVolumePermissions"], [])


@case
def permissions_on_a_snapshot_are_reset(aws):
    one = new_snapshot(aws, new_volume(aws))
    wanted = {"SnapshotId": one, "Attribute": "createVolumePermission"}
    with aws.quietly():
        aws.ec2.modify_snapshot_attribute(**wanted, OperationType="add", UserIds=["111122223333"])
    aws.ec2.reset_snapshot_attribute(**wanted)
    aws.equal(aws.ec2.describe_snapshot_attribute(**wanted)["CreateVolumePermissions"], [])


@case
def a_new_snapshot_is_pending(aws):
    made = aws.ec2.create_snapshot(VolumeId=new_volume(aws))
    aws.equal(made["State"], "pending")


@case
def a_volume_grows_and_does_not_shrink(aws):
    disk = new_volume(aws, Size=8, VolumeType="gp3")
    made = aws.ec2.modify_volume(VolumeId=disk, Size=16)["VolumeModification"]
    aws.equal((made["OriginalSize"], made["TargetSize"]), (8, 16))

    def is_done():
        found = aws.ec2.describe_volumes_modifications(VolumeIds=[disk])["VolumesModifications"][0]
        return found["ModificationState"] == "completed"

    aws.until(is_done, "the volume has grown", most_s=24 * 3600)
    found = aws.ec2.describe_volumes_modifications(VolumeIds=[disk])["VolumesModifications"][0]
    aws.equal((found["ModificationState"], aws.volume(disk)["Size"]), ("completed", 16))


@case
def a_volume_is_not_made_smaller(aws):
    disk = new_volume(aws, Size=16)
    aws.refused("InvalidParameterValue", aws.ec2.modify_volume, VolumeId=disk, Size=8)
