"""Instance types: what they are, and where they are offered."""

from case import case, sim_case

SIZES = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")
FAMILIES = ("m5", "m5a", "m5d", "m6i", "m6a", "m6g", "m7i", "m7g", "c6i", "c6g", "c7g", "r5", "r6i", "r6g", "r7g")
FIFTH = [f"{family}.{size}" for family in ("c5", "c5d") for size in
         ("large", "xlarge", "2xlarge", "4xlarge", "9xlarge", "18xlarge")]
BURSTABLE = [f"{family}.{size}" for family in ("t3", "t3a", "t4g") for size in
             ("nano", "micro", "small", "medium", "large", "xlarge", "2xlarge")]
OLD = ["t2.micro", "t2.small", "t2.medium", "t2.large", "m4.large", "m4.xlarge"]


@case
def every_type_has_the_processors_and_the_memory_that_it_has_on_aws(aws):
    # One a call, or the two sides would put them in another order.
    for kind in [f"{family}.{size}" for family in FAMILIES for size in SIZES] + FIFTH + BURSTABLE + OLD:
        found = aws.ec2.describe_instance_types(InstanceTypes=[kind])["InstanceTypes"]
        aws.equal([each["InstanceType"] for each in found], [kind])
        aws.advance(0.1)  # or the bucket is empty before the end


@case
def types_are_chosen_by_what_they_have(aws):
    both = ["t3.micro", "m6g.xlarge"]
    for name, value, wanted in (
        ("burstable-performance-supported", "true", "t3.micro"),
        ("processor-info.supported-architecture", "arm64", "m6g.xlarge"),
        ("vcpu-info.default-vcpus", "4", "m6g.xlarge"),
        ("memory-info.size-in-mib", "1024", "t3.micro"),
        ("instance-type", "m6g.*", "m6g.xlarge"),
    ):
        chosen = [{"Name": name, "Values": [value]}]
        found = aws.ec2.describe_instance_types(InstanceTypes=both, Filters=chosen)["InstanceTypes"]
        aws.equal([each["InstanceType"] for each in found], [wanted], name)


@case
def all_types_come_in_pages(aws):
    pages = aws.ec2.pages("describe_instance_types", PaginationConfig={"PageSize": 50})
    names = [each["InstanceType"] for page in pages for each in page["InstanceTypes"]]
    aws.equal((len(set(names)), names), (len(names), sorted(names)))
    aws.true(len(names) > 100, names)


@sim_case
def a_type_that_a_zone_does_not_have_is_not_launched_there(aws):
    image, subnets = aws.image(), aws.subnets()
    aws.control("offering", zone="eu-west-2a", instance_type="m5.large", offered=False)
    wanted = {"ImageId": image, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1}
    why = aws.refused("Unsupported", aws.ec2.run_instances, SubnetId=subnets[0], **wanted)
    aws.true("choosing eu-west-2b, eu-west-2c" in why, why)
    filters = [{"Name": "instance-type", "Values": ["m5.large"]}]
    found = aws.ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=filters)
    aws.equal({each["Location"] for each in found["InstanceTypeOfferings"]}, {"eu-west-2b", "eu-west-2c"})
    made = aws.ec2.run_instances(**wanted)["Instances"][0]
    aws.equal(made["Placement"]["AvailabilityZone"], "eu-west-2b")


@case
def a_type_that_there_is_not_is_refused(aws):
    aws.invalid("InvalidInstanceType", "ec2", "describe_instance_types", InstanceTypes=["m5.large", "x9.enormous"])


@case
def a_region_and_its_zones_offer_types(aws):
    wanted = [{"Name": "instance-type", "Values": ["m5.large", "t3.micro"]}]
    here = aws.ec2.describe_instance_type_offerings(Filters=wanted)["InstanceTypeOfferings"]
    aws.equal({(o["InstanceType"], o["Location"]) for o in here}, {("m5.large", "eu-west-2"), ("t3.micro", "eu-west-2")})
    zone = [{"Name": "location", "Values": ["eu-west-2b"]}]
    there = aws.ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=wanted + zone)
    aws.equal({o["Location"] for o in there["InstanceTypeOfferings"]}, {"eu-west-2b"})
