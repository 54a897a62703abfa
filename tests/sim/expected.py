"""Members that AWS sends in every answer, whatever the object: the models mark next to nothing in answers as required.

By service and the name of the model's shape. A client written against AWS may read these without a look, so the simulation has to
send them. From the examples of the API references, and from answers seen.
"""

ALWAYS = {
    "ec2": {
        # instances
        "Reservation": ("ReservationId", "OwnerId", "Instances"),
        "Instance": (
            "InstanceId", "ImageId", "State", "PrivateDnsName", "InstanceType", "LaunchTime", "Placement",
            "Architecture", "RootDeviceType", "BlockDeviceMappings",
        ),
        "Placement": ("AvailabilityZone", "Tenancy"),
        "InstanceState": ("Code", "Name"),
        "InstanceStateChange": ("InstanceId", "CurrentState", "PreviousState"),
        "StateReason": ("Code", "Message"),
        "InstanceStatus": ("InstanceId", "AvailabilityZone", "InstanceState", "InstanceStatus", "SystemStatus"),
        "InstanceStatusSummary": ("Status",),
        "InstanceStatusEvent": ("InstanceEventId", "Code", "Description", "NotBefore"),
        "InstanceBlockDeviceMapping": ("DeviceName", "Ebs"),
        "EbsInstanceBlockDevice": ("VolumeId", "Status", "DeleteOnTermination"),
        "Tag": ("Key", "Value"),
        "TagDescription": ("Key", "Value"),
        # images
        "Image": ("ImageId", "State", "OwnerId", "Public", "Architecture", "RootDeviceType", "ImageType"),
        "InstanceImageMetadata": ("InstanceId", "InstanceType", "LaunchTime", "AvailabilityZone", "State", "OwnerId",
                                  "ImageMetadata"),
        "ImageMetadata": ("ImageId",),
        "CreateImageResult": ("ImageId",),
        "RegisterImageResult": ("ImageId",),
        # volumes, snapshots
        "Volume": ("VolumeId", "Size", "AvailabilityZone", "State", "CreateTime", "VolumeType", "Encrypted"),
        "VolumeAttachment": ("VolumeId", "InstanceId", "Device", "State", "AttachTime"),
        "Snapshot": ("SnapshotId", "VolumeId", "State", "StartTime", "OwnerId", "VolumeSize", "Encrypted"),
        # network
        "Vpc": ("VpcId", "State", "CidrBlock", "IsDefault", "OwnerId"),
        "Subnet": ("SubnetId", "VpcId", "State", "CidrBlock", "AvailabilityZone", "AvailableIpAddressCount",
                   "DefaultForAz", "MapPublicIpOnLaunch", "OwnerId", "SubnetArn"),
        "AvailabilityZone": ("ZoneName", "ZoneId", "RegionName", "State"),
        "SecurityGroup": ("GroupId", "GroupName", "OwnerId", "VpcId", "Description"),
        "NetworkInterface": ("NetworkInterfaceId", "SubnetId", "VpcId", "AvailabilityZone", "Status", "OwnerId",
                             "PrivateIpAddress", "MacAddress", "SourceDestCheck"),
        "Address": ("PublicIp", "AllocationId", "Domain"),
        "AllocateAddressResult": ("PublicIp", "AllocationId", "Domain"),
        "AssociateAddressResult": ("AssociationId",),
        # launch templates
        "LaunchTemplate": ("LaunchTemplateId", "LaunchTemplateName", "CreateTime", "DefaultVersionNumber",
                           "LatestVersionNumber"),
        "LaunchTemplateVersion": ("LaunchTemplateId", "LaunchTemplateName", "VersionNumber", "CreateTime",
                                  "DefaultVersion", "LaunchTemplateData"),
    },
    "elasticloadbalancing": {
        "LoadBalancer": ("LoadBalancerArn", "DNSName", "LoadBalancerName", "Scheme", "VpcId", "State", "Type",
                         "AvailabilityZones", "CreatedTime"),
        "LoadBalancerState": ("Code",),
        "TargetGroup": ("TargetGroupArn", "TargetGroupName", "Protocol", "Port", "VpcId", "HealthCheckEnabled",
                        "HealthCheckProtocol", "HealthCheckPort", "HealthCheckIntervalSeconds",
                        "HealthCheckTimeoutSeconds", "HealthyThresholdCount", "UnhealthyThresholdCount",
                        "LoadBalancerArns", "TargetType"),
        "TargetHealthDescription": ("Target", "TargetHealth"),
        "TargetHealth": ("State",),
        "Listener": ("ListenerArn", "LoadBalancerArn", "Port", "Protocol", "DefaultActions"),
        "Rule": ("RuleArn", "Priority", "Conditions", "Actions", "IsDefault"),
        "TargetDescription": ("Id",),
    },
    "autoscaling": {
        "AutoScalingGroup": ("AutoScalingGroupName", "MinSize", "MaxSize", "DesiredCapacity", "DefaultCooldown",
                             "AvailabilityZones", "HealthCheckType", "CreatedTime"),
    },
    "ssm": {
        "Parameter": ("Name", "Type", "Value", "Version", "LastModifiedDate", "ARN", "DataType"),
        "PutParameterResult": ("Version", "Tier"),
        "GetParametersResult": ("Parameters", "InvalidParameters"),
        "GetParameterResult": ("Parameter",),
    },
    "sts": {
        "GetCallerIdentityResponse": ("UserId", "Account", "Arn"),
        "AssumeRoleResponse": ("Credentials", "AssumedRoleUser"),
    },
}
