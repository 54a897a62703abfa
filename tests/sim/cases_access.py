"""Security groups, their rules, and key pairs."""

from case import case

WEB = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}


def security_group(aws, name="web"):
    with aws.quietly():
        made = aws.ec2.create_security_group(GroupName=name, Description="web servers", VpcId=aws.vpc())
    return made["GroupId"]


@case
def a_security_group_is_made_described_and_deleted(aws):
    vpc = aws.vpc()
    made = aws.ec2.create_security_group(GroupName="web", Description="web servers", VpcId=vpc)["GroupId"]
    found = aws.ec2.describe_security_groups(GroupIds=[made])["SecurityGroups"][0]
    aws.equal((found["GroupName"], found["VpcId"], found["Description"]), ("web", vpc, "web servers"))
    duplicate = {"GroupName": "web", "Description": "again", "VpcId": vpc}
    aws.refused("InvalidGroup.Duplicate", aws.ec2.create_security_group, **duplicate)
    aws.ec2.delete_security_group(GroupId=made)
    aws.refused("InvalidGroup.NotFound", aws.ec2.describe_security_groups, GroupIds=[made])


@case
def rules_are_added_once_and_taken_away(aws):
    one = security_group(aws)
    aws.ec2.authorize_security_group_ingress(GroupId=one, IpPermissions=[WEB])
    aws.refused(
        "InvalidPermission.Duplicate", aws.ec2.authorize_security_group_ingress, GroupId=one, IpPermissions=[WEB]
    )
    found = aws.ec2.describe_security_groups(GroupIds=[one])["SecurityGroups"][0]
    aws.equal([(rule["FromPort"], rule["ToPort"]) for rule in found["IpPermissions"]], [(443, 443)])
    aws.ec2.revoke_security_group_ingress(GroupId=one, IpPermissions=[WEB])
    found = aws.ec2.describe_security_groups(GroupIds=[one])["SecurityGroups"][0]
    aws.equal(found["IpPermissions"], [])


@case
def rules_for_what_leaves_are_added_and_taken_away(aws):
    one = security_group(aws)
    aws.ec2.authorize_security_group_egress(GroupId=one, IpPermissions=[WEB])
    found = aws.ec2.describe_security_groups(GroupIds=[one])["SecurityGroups"][0]
    aws.equal(len(found["IpPermissionsEgress"]), 2, "a new group lets everything out")
    aws.ec2.revoke_security_group_egress(GroupId=one, IpPermissions=[WEB])
    found = aws.ec2.describe_security_groups(GroupIds=[one])["SecurityGroups"][0]
    aws.equal(len(found["IpPermissionsEgress"]), 1)


@case
def rules_are_listed_one_by_one(aws):
    one = security_group(aws)
    with aws.quietly():
        aws.ec2.authorize_security_group_ingress(GroupId=one, IpPermissions=[WEB])
    found = aws.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [one]}])
    rules = sorted((rule["IsEgress"], rule["IpProtocol"]) for rule in found["SecurityGroupRules"])
    aws.equal(rules, [(False, "tcp"), (True, "-1")])


@case
def a_security_group_in_use_is_not_deleted(aws):
    one = security_group(aws)
    aws.launch(SecurityGroupIds=[one])
    aws.refused("DependencyViolation", aws.ec2.delete_security_group, GroupId=one)


@case
def an_instance_is_in_the_groups_it_was_launched_with(aws):
    one = security_group(aws)
    made = aws.launch(SecurityGroupIds=[one])
    aws.equal([group["GroupId"] for group in aws.instance(made)["SecurityGroups"]], [one])


@case
def a_key_pair_is_made_described_and_deleted(aws):
    made = aws.ec2.create_key_pair(KeyName="night")
    aws.true(made["KeyMaterial"].startswith("-----BEGIN"), "the private key, this once")
    found = aws.ec2.describe_key_pairs(KeyNames=["night"])["KeyPairs"]
    aws.equal([one["KeyPairId"] for one in found], [made["KeyPairId"]])
    aws.refused("InvalidKeyPair.Duplicate", aws.ec2.create_key_pair, KeyName="night")
    aws.ec2.delete_key_pair(KeyName="night")
    aws.refused("InvalidKeyPair.NotFound", aws.ec2.describe_key_pairs, KeyNames=["night"])


PUBLIC_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl night@example"
)


@case
def a_key_pair_is_imported(aws):
    aws.ec2.import_key_pair(KeyName="own", PublicKeyMaterial=PUBLIC_KEY.encode())
    found = aws.ec2.describe_key_pairs(KeyNames=["own"])["KeyPairs"][0]
    aws.equal((found["KeyName"], found["KeyType"]), ("own", "ed25519"))
