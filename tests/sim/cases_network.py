"""The network that instances live in: what every account has by default, interfaces, addresses."""

from case import case


@case
def every_region_has_a_default_vpc_with_a_subnet_in_each_zone(aws):
    vpcs = aws.ec2.describe_vpcs()["Vpcs"]
    aws.equal([(one["IsDefault"], one["CidrBlock"]) for one in vpcs], [(True, "172.31.0.0/16")])
    subnets = aws.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpcs[0]["VpcId"]]}])["Subnets"]
    aws.equal(
        sorted((one["AvailabilityZone"], one["CidrBlock"]) for one in subnets),
        [("eu-west-2a", "172.31.0.0/20"), ("eu-west-2b", "172.31.16.0/20"), ("eu-west-2c", "172.31.32.0/20")],
    )
    aws.equal({one["DefaultForAz"] for one in subnets}, {True})


@case
def zones_and_regions_are_listed(aws):
    zones = aws.ec2.describe_availability_zones()["AvailabilityZones"]
    aws.equal(sorted(one["ZoneName"] for one in zones), ["eu-west-2a", "eu-west-2b", "eu-west-2c"])
    aws.equal({one["State"] for one in zones}, {"available"})
    found = aws.ec2.describe_regions(RegionNames=["eu-west-2"])["Regions"]
    aws.equal([one["RegionName"] for one in found], ["eu-west-2"])


@case
def a_vpc_and_a_subnet_are_made(aws):
    vpc = aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]
    aws.equal((vpc["CidrBlock"], vpc["IsDefault"]), ("10.0.0.0/16", False))
    made = aws.ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.0.1.0/24", AvailabilityZone="eu-west-2c")["Subnet"]
    aws.equal((made["VpcId"], made["AvailabilityZone"], made["MapPublicIpOnLaunch"]), (vpc["VpcId"], "eu-west-2c", False))
    aws.equal(made["AvailableIpAddressCount"], 251, "five addresses of each subnet are AWS's")
    aws.ec2.modify_subnet_attribute(SubnetId=made["SubnetId"], MapPublicIpOnLaunch={"Value": True})
    found = aws.ec2.describe_subnets(SubnetIds=[made["SubnetId"]])["Subnets"][0]
    aws.equal(found["MapPublicIpOnLaunch"], True)


@case
def what_is_not_there_is_refused_by_its_kind(aws):
    aws.refused("InvalidSubnetID.NotFound", aws.ec2.describe_subnets, SubnetIds=["subnet-0123456789abcdef0"])
    aws.refused("InvalidVpcID.NotFound", aws.ec2.describe_vpcs, VpcIds=["vpc-0123456789abcdef0"])


@case
def an_address_is_taken_given_to_an_instance_and_released(aws):
    one = aws.launch()
    address = aws.ec2.allocate_address(Domain="vpc")
    taken = aws.ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=one)
    found = aws.ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"][0]
    aws.equal((found["InstanceId"], found["PublicIp"]), (one, address["PublicIp"]))
    aws.equal(found["AssociationId"], taken["AssociationId"])
    aws.equal(aws.instance(one)["PublicIpAddress"], address["PublicIp"])
    aws.ec2.disassociate_address(AssociationId=taken["AssociationId"])
    found = aws.ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"][0]
    aws.true(not found.get("InstanceId"), "it is nobody's")
    aws.ec2.release_address(AllocationId=address["AllocationId"])
    aws.refused(
        "InvalidAllocationID.NotFound", aws.ec2.describe_addresses, AllocationIds=[address["AllocationId"]]
    )


@case
def an_address_stays_with_a_stopped_instance(aws):
    one = aws.launch()
    with aws.quietly():
        address = aws.ec2.allocate_address(Domain="vpc")
        aws.ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=one)
        aws.ec2.stop_instances(InstanceIds=[one])
    aws.settle(one, "stopped")
    aws.equal(aws.ec2.describe_addresses()["Addresses"][0]["InstanceId"], one)


@case
def an_address_leaves_a_terminated_instance(aws):
    one = aws.launch()
    with aws.quietly():
        address = aws.ec2.allocate_address(Domain="vpc")
        aws.ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=one)
        aws.ec2.terminate_instances(InstanceIds=[one])
    aws.settle(one, "terminated")
    aws.true(not aws.ec2.describe_addresses()["Addresses"][0].get("InstanceId"), "it is nobody's")


@case
def an_interface_is_made_attached_to_a_launch_and_described(aws):
    subnet = aws.subnets()[0]
    made = aws.ec2.create_network_interface(SubnetId=subnet, Description="kept")["NetworkInterface"]
    aws.equal(made["SubnetId"], subnet)
    own = made["NetworkInterfaceId"]
    aws.until(lambda: interface(aws, own)["Status"] == "available", "available")
    one = aws.launch(NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": own}])
    found = aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[own])["NetworkInterfaces"][0]
    aws.equal((found["Attachment"]["InstanceId"], found["Status"]), (one, "in-use"))


@case
def an_interface_in_use_is_not_deleted(aws):
    own = aws.instance(aws.launch())["NetworkInterfaces"][0]["NetworkInterfaceId"]
    aws.refused("InvalidNetworkInterface.InUse", aws.ec2.delete_network_interface, NetworkInterfaceId=own)


@case
def an_unattached_interface_is_deleted(aws):
    with aws.quietly():
        made = aws.ec2.create_network_interface(SubnetId=aws.subnets()[0])["NetworkInterface"]["NetworkInterfaceId"]
    aws.until(lambda: interface(aws, made)["Status"] == "available", "available")
    aws.ec2.delete_network_interface(NetworkInterfaceId=made)
    aws.refused(
        "InvalidNetworkInterfaceID.NotFound", aws.ec2.describe_network_interfaces, NetworkInterfaceIds=[made]
    )


@case
def a_second_interface_is_attached_changed_and_detached(aws):
    subnet = aws.subnets()[0]
    one = aws.launch(SubnetId=subnet)
    with aws.quietly():
        made = aws.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    aws.until(lambda: interface(aws, made)["Status"] == "available", "available")
    taken = aws.ec2.attach_network_interface(NetworkInterfaceId=made, InstanceId=one, DeviceIndex=1)["AttachmentId"]
    aws.until(lambda: interface(aws, made)["Attachment"]["Status"] == "attached", "attached")
    aws.equal(len(aws.instance(one)["NetworkInterfaces"]), 2)
    aws.ec2.modify_network_interface_attribute(NetworkInterfaceId=made, Description={"Value": "second"})
    aws.equal(interface(aws, made)["Description"], "second")
    aws.ec2.detach_network_interface(AttachmentId=taken)
    aws.until(lambda: interface(aws, made)["Status"] == "available", "available again")


def interface(aws, one):
    with aws.quietly():
        return aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[one])["NetworkInterfaces"][0]
