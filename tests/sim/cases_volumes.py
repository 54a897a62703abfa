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
    aws.refused("VolumeInUse", aws.ec2.delete_volume, VolumeId=disk)
    aws.ec2.detach_volume(VolumeId=disk)
    aws.until(lambda: aws.volume(disk)["State"] == "available", "available again")
    aws.equal(aws.volume(disk)["Attachments"], [])


@case
def a_volume_of_another_zone_is_not_attached(aws):
    one, disk = aws.launch(SubnetId=aws.subnets()[0]), new_volume(aws, AvailabilityZone="eu-west-2b")
    aws.refused("InvalidVolume.ZoneMismatch", aws.ec2.attach_volume, VolumeId=disk, InstanceId=one, Device="/dev/sdf")


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
    aws.equal((made["VolumeId"], made["VolumeSize"], made["State"]), (disk, 9, "pending"))
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
