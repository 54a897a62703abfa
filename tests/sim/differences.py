"""Every known difference between the simulated AWS and moto, with the reason why the simulated one is right.

Reasons rest on AWS's documentation (D), on the API's model (M), on what was run and seen on AWS (R), or on what is known
of AWS but was not verified here (K). A row that no case meets any more fails the tests: it is out of date.
"""

# Operations that cases use and that the simulation does not have yet: these cases are skipped, with this reason. A row
# whose operation is there fails the tests, so that the cases run from that day on.
AWAITED = {}

# Cases that end otherwise on moto, as a whole.
CASES_NOT_ON_MOTO = {
    # Time: what takes AWS minutes, moto does at once, and nothing is ever in between or over.
    "a_booting_instance_is_initializing_and_then_ok": "moto's checks are ok at once; AWS's begin as `initializing` (M)",
    "a_new_snapshot_is_pending": "moto's are completed at once; AWS copies the volume in the background (D)",
    "a_new_target_is_initial_and_then_healthy": "moto's targets are healthy at once; AWS's pass through `initial` (D)",
    "a_deregistered_target_drains_and_is_then_unused": "moto forgets it at once; AWS drains for the deregistration delay (D)",
    "a_terminated_instance_lingers_and_then_is_gone": "moto keeps it for ever, with its address (K: about an hour on AWS)",
    "an_image_that_nothing_refers_to_is_not_found_once_deregistered":
        "moto answers an empty list for ever; InvalidAMIID.NotFound is AWS's answer (M)",
    # States: moto does not check them.
    "a_terminated_instance_can_not_be_started_or_stopped": "moto revives the dead; AWS: IncorrectInstanceState (D)",
    "a_batch_with_a_terminated_id_starts_none": "moto revives the dead; AWS refuses the batch whole (R)",
    "a_stopping_instance_can_not_be_started": "moto's stop is over at once; AWS: IncorrectInstanceState (D)",
    "stopping_a_stopped_instance_and_starting_a_running_one_changes_nothing":
        "moto says `pending` of a running instance; nothing changes on AWS, and it says so (K)",
    "a_target_of_a_group_without_listener_is_unused": "moto knows no listeners here; AWS: Target.NotInUse (D, R)",
    "a_protected_instance_is_not_terminated": "moto drops DisableApiTermination of RunInstances (D)",
    "only_a_running_instance_is_registered": "moto takes an instance that does not exist; AWS: InvalidTarget (D)",
    "a_target_is_its_instance_and_its_port": "moto keys targets by id alone; AWS by id and port (D)",
    "deregistering_what_is_not_registered_changes_nothing": "moto refuses; AWS answers 200 and does nothing (R)",
    # Tokens: moto ignores the client token of RunInstances.
    **dict.fromkeys(
        (
            "the_same_token_launches_once", "a_clone_is_asked_for_twice_and_made_once",
            "a_token_counts_in_the_zone_that_its_launch_names",
        ),
        "moto launches again for a token that it has seen (D)",
    ),
    "the_same_token_with_other_parameters_is_refused": "moto launches; AWS: IdempotentParameterMismatch (D)",
    "the_token_of_a_terminated_instance_launches_nothing": "moto launches; AWS: IdempotentInstanceTerminated (R)",
    "a_token_has_at_most_64_characters": "moto takes any; AWS: at most 64 ASCII characters (D)",
    # Changes of an instance's settings: moto makes them whatever the state, and checks none.
    **dict.fromkeys(
        (
            "type_and_user_data_and_optimisation_are_changed_while_stopped_only",
            "a_type_that_is_unknown_or_of_another_architecture_is_refused",
            "credits_of_a_type_without_any_are_not_launched",
            "a_type_without_ebs_optimisation_is_not_launched_with_it",
            "one_attribute_is_changed_at_a_time",
            "the_groups_of_an_instance_are_replaced",
            "a_first_boot_is_not_stopped",
            "a_clone_onto_a_type_that_cannot_have_it_is_refused",
            "a_launch_into_a_placement_group_that_is_not_there_is_refused",
            "what_makes_no_sense_of_interfaces_and_devices_is_refused",
            "a_root_volume_is_not_made_smaller_than_its_snapshot",
            "a_clone_whose_key_or_group_or_type_is_gone_is_refused",
        ),
        "moto does it all the same; AWS refuses (R, D)",
    ),
    "a_protected_instance_protects_the_others_of_its_zone_alone":
        "moto terminates the protected one as well; AWS spares its zone (D)",
    "a_shutdown_inside_does_what_the_instance_is_set_to": "moto takes no change of the behavior (D)",
    "groups_of_an_instance_with_two_interfaces_are_changed_at_the_interface_only":
        "moto breaks over an instance of two interfaces (HTTP 500)",
    "a_device_that_nothing_is_mapped_to_is_refused": "moto breaks over it (HTTP 500); AWS refuses it by name (K)",
    "changed_metadata_options_are_pending_at_first": "moto's are applied at once; AWS's are pending (M)",
    "metadata_options_that_are_not_named_stay_as_they_are": "moto forgets what is not named; AWS keeps it (D)",
    "detailed_monitoring_is_switched_on_and_off": "moto does not have MonitorInstances",
    "an_unlimited_instance_is_listed_without_being_named_and_remembers_it":
        "moto says `standard` of everything and does not have ModifyInstanceCreditSpecification",
    "the_user_data_of_a_stopped_instance_is_changed_and_taken_away": "moto breaks over new user data",
    "further_filters_choose_by_settings_and_attachments": "moto does not have these filters (HTTP 500)",
    "statuses_and_image_metadata_have_filters_of_their_own": "moto ignores filters of statuses that it does not know",
    "every_attribute_of_an_instance_is_told": "moto does not know `enaSupport` and `enclaveOptions` (M)",
    "all_types_come_in_pages": "moto lists every type of AWS at once; here a catalogue is modelled",
    "an_instance_is_cloned_onto_another_image_with_everything_that_it_has":
        "moto drops metadata options, credits, monitoring and more of RunInstances (D)",
    "a_clone_from_a_template_is_of_the_version_that_it_names": "moto drops a template's metadata options (D)",
    "an_image_for_version_2_of_the_metadata_service_asks_for_tokens": "moto does not look at the image (D)",
    # Limits and checks of parameters that moto does not make.
    "page_sizes_are_from_5_to_1000_and_never_given_with_ids": "moto takes any page size, with ids too (D)",
    "no_more_than_a_hundred_statuses_are_asked_for_by_id": "moto takes any number; AWS at most 100 (D)",
    "target_groups_come_in_pages": "moto ignores PageSize (D)",
    "tags_of_aws_itself_and_too_many_tags_are_refused": "moto takes tags of the reserved prefix `aws:` (D)",
    "one_bad_id_fails_a_whole_batch": "moto does not tell a malformed id from an unknown one (D)",
    "a_launch_that_names_what_is_not_there_is_refused": "moto breaks over an unknown launch template (HTTP 500)",
    "a_launch_of_fewer_than_one_or_without_an_image_is_refused": "moto launches MinCount 0 (D: at least 1)",
    "several_instances_of_one_launch_share_a_reservation": "moto launches MinCount; AWS MaxCount if it can (D)",
    "an_application_load_balancer_needs_two_zones": "moto takes one subnet; AWS wants two zones (D)",
    "two_listeners_do_not_share_a_port": "moto takes a second listener on a port; AWS: DuplicateListener (D)",
    "target_groups_of_one_name_are_one_or_a_mistake": "moto refuses the same group again; AWS's call is idempotent (D)",
    "a_volume_of_another_zone_is_not_attached": "moto attaches over zones; AWS: InvalidVolume.ZoneMismatch (D)",
    "a_volume_is_not_attached_twice": "moto attaches it to a second instance; AWS: VolumeInUse (D)",
    "a_volume_is_not_made_smaller": "moto shrinks it; AWS cannot (D)",
    "a_security_group_in_use_is_not_deleted": "moto deletes it; AWS: DependencyViolation (D)",
    "an_interface_in_use_is_not_deleted": "moto deletes it; AWS: InvalidNetworkInterface.InUse (D)",
    "a_protected_load_balancer_is_not_deleted": "moto deletes it all the same (D: OperationNotPermitted)",
    **dict.fromkeys(
        (
            "a_deleted_template_is_not_found", "a_template_that_is_not_there_is_refused",
        ),
        "moto answers an empty list; AWS: InvalidLaunchTemplateId.NotFound (D)",
    ),
    "versions_of_a_template_are_deleted_but_not_the_default": "moto does not have DeleteLaunchTemplateVersions",
    **dict.fromkeys(
        (
            "the_data_of_an_instance_are_all_that_it_was_launched_with",
            "a_template_of_an_instances_data_launches_its_like",
        ),
        "moto has constants for most of it",
    ),
    "an_address_leaves_a_terminated_instance": "moto leaves it with the dead; AWS disassociates it (D)",
    # Images: moto has no permissions, no witness and no Allowed AMIs.
    "an_image_that_is_gone_disabled_or_unknown_is_not_launched": "moto launches any image that was ever there (D)",
    "a_disabled_image_is_hidden_unless_asked_for_and_can_be_enabled_again": "moto shows it like any other (D)",
    "a_deprecated_image_still_answers_its_owner_and_still_launches": "moto does not have EnableImageDeprecation",
    "an_image_is_another_accounts_to_use_only_while_it_is_shared": "moto shows every image to everybody (D)",
    "the_witness_names_the_state_of_an_instances_image": "moto does not have DescribeInstanceImageMetadata",
    **dict.fromkeys(
        (
            "with_allowed_images_on_a_disallowed_image_vanishes_and_the_witness_says_so",
            "allowed_images_are_chosen_by_their_owners",
        ),
        "moto does not have Allowed AMIs",
    ),
    "without_a_rule_of_the_recycle_bin_nothing_is_in_it": "moto does not have the Recycle Bin",
    "two_images_do_not_share_a_name": "moto takes the name twice; AWS: InvalidAMIName.Duplicate (D)",
    "permissions_to_launch_are_reset": "moto does not have ResetImageAttribute",
    "permissions_on_a_snapshot_are_reset": "moto does not have ResetSnapshotAttribute",
    "the_root_device_of_an_image_on_a_snapshot_is_ebs": "moto says `standard`, which is a volume's type (M)",
    # Defaults.
    "cross_zone_balancing_is_on_in_a_new_application_load_balancer": "off on moto; on for ALBs on AWS (D)",
    "the_accounts_limits_are_told": "moto lists other names than AWS's documentation (D)",
}

# Operations that are in no comparison at all. Each is driven on the simulated AWS all the same.
OPERATIONS_NOT_ON_MOTO = {
    **dict.fromkeys(
        (
            "ec2.DescribeInstanceImageMetadata", "ec2.EnableImageDeprecation", "ec2.DisableImageDeprecation",
            "ec2.ResetImageAttribute", "ec2.ResetSnapshotAttribute", "ec2.ListImagesInRecycleBin",
            "ec2.RestoreImageFromRecycleBin", "ec2.GetAllowedImagesSettings", "ec2.EnableAllowedImagesSettings",
            "ec2.DisableAllowedImagesSettings", "ec2.ReplaceImageCriteriaInAllowedImagesSettings",
            "ec2.DeleteLaunchTemplateVersions", "ec2.MonitorInstances", "ec2.UnmonitorInstances",
            "ec2.ModifyInstanceCreditSpecification", "ec2.ModifyInstanceEventStartTime",
        ),
        "moto does not have it",
    ),
    "elbv2.DeregisterTargets": "moto forgets targets at once and keys them by id alone: each case of it ends otherwise",
    "elbv2.DescribeAccountLimits": "moto lists a few limits of other names than AWS's documentation (D)",
}

# Answers that show instances.
INSTANCES = "ec2.RunInstances|ec2.DescribeInstances"

# (operations, path in the answer, `sim only` | `moto only` | `value`, why the simulated AWS is right); `*` is anything,
# `a|b` is either.
ANSWERS = [
    # Instances.
    (
        INSTANCES,
        "*Architecture|*CapacityReservationSpecification|*CpuOptions|*EnaSupport|*EnclaveOptions|*HibernationOptions"
        "|*MaintenanceOptions|*PlatformDetails|*PrivateDnsNameOptions|*UsageOperation|*VirtualizationType"
        "|*Placement.AvailabilityZoneId|*PrivateIpAddresses[].PrivateDnsName|*SecurityGroups", "sim only",
        "AWS sends them of every instance (D); moto leaves them out",
    ),
    (
        INSTANCES, "*DeviceName", "value",
        "moto forgets the image's block devices and shows a constant",
    ),
    ("ec2.RunInstances", "*Ebs.Status", "value", "a new instance's volume is `attaching` at first (D)"),
    (
        INSTANCES, "*Association.IpOwnerId", "value",
        "an address that is assigned automatically is amazon's (D)",
    ),
    (
        INSTANCES, "*NetworkInterfaces[].Attachment.DeleteOnTermination", "value",
        "an interface that a launch made ends with its instance (D)",
    ),
    (
        INSTANCES, "*NetworkInterfaces[].Description", "moto only",
        "an interface that a launch made has no description (D)",
    ),
    (
        INSTANCES, "*SriovNetSupport", "moto only",
        "AWS sends it only of images that have it set (D)",
    ),
    ("ec2.DescribeInstances", "*StateTransitionReason", "value", "AWS writes GMT after the time (R); moto UTC"),
    ("ec2.DescribeInstanceStatus", "*AttachedEbsStatus", "sim only", "AWS's third check (D); moto has two"),
    (
        "ec2.AllocateAddress|ec2.DescribeAddresses", "*NetworkBorderGroup|*PublicIpv4Pool", "sim only",
        "AWS sends both of every address (D); moto leaves them out",
    ),
    (
        "ec2.GetLaunchTemplateData",
        "*Ebs.Encrypted|*Ebs.VolumeType|*Ebs.SnapshotId|*CpuOptions|*NetworkInterfaceId|*PrivateIpAddress", "sim only",
        "the instance as it is (D); moto leaves it out",
    ),
    (
        "ec2.GetLaunchTemplateData",
        "*Encrypted|*TagSpecifications|*InterfaceType|*PrivateIpAddresses|*AssociatePublicIpAddress"
        "|*NetworkCardIndex", "moto only",
        "of an interface of its own kind, or at its default",
    ),
    (
        "ec2.GetLaunchTemplateData", "*DeviceName|*CpuCredits|*DeleteOnTermination|*Groups[]|*PrivateDnsNameOptions.*", "value",
        "moto has constants here, and groups in a form that the model does not have",
    ),
    ("ec2.ModifyInstanceMetadataOptions", "*State", "value", "AWS has only begun when it answers (M)"),
    (
        "ec2.DescribeInstanceTypes",
        "*DedicatedHostsSupported|*AttachmentLimitType|*EbsOptimizedInfo|*MaximumEbsAttachments|*FreeTierEligible"
        "|*HibernationSupported|*NetworkInfo|*NitroEnclavesSupport|*NitroTpm*|*PhcSupport|*PlacementGroupInfo"
        "|*Manufacturer|*SustainedClockSpeedInGhz|*RebootMigrationSupport|*SupportedBootModes|*SupportedInRegion"
        "|*ValidCores|*ValidThreadsPerCore|*CurrentGeneration|*SupportedFeatures|*Disks|*InstanceStorageInfo.*", "moto only",
        "of the hardware, and of no consequence to anything here",
    ),
    ("ec2.DescribeInstanceTypes", "*SupportedArchitectures[]", "value", "32-bit machines are not modelled"),
    # Images.
    ("ec2.DescribeImages", "*Architecture", "sim only", "every image has one (D); moto leaves it out"),
    (
        "ec2.DescribeImages", "*DeregistrationProtection|*EnaSupport|*Hypervisor|*ImageLocation|*PlatformDetails"
        "|*UsageOperation|*VirtualizationType", "sim only", "AWS sends them of every image (D); moto leaves them out",
    ),
    ("ec2.DescribeImages", "*RootDeviceType", "value", "moto says `standard`, which is a volume's type (M)"),
    ("ec2.DescribeImages", "*BootMode", "moto only", "AWS sends it only of images registered with one (D)"),
    ("ec2.DescribeImages", "*Ebs.Encrypted", "sim only", "AWS sends it with every disk (D)"),
    (
        "ec2.DescribeImages", "*DeviceName|*Ebs.VolumeType|*Ebs.VolumeSize|*Ebs.DeleteOnTermination", "value",
        "moto forgets the registered block devices and shows a constant",
    ),
    # Volumes and snapshots.
    ("ec2.CreateVolume", "State", "value", "a volume is `creating` at first (D)"),
    ("ec2.ModifyVolume", "*EndTime", "moto only", "AWS has only begun when it answers (D)"),
    ("ec2.ModifyVolume", "*ModificationState|*Progress", "value", "AWS has only begun when it answers (D)"),
    ("ec2.CreateSnapshot", "State|Progress", "value", "a snapshot is `pending` at first, at 0% (D)"),
    (
        "ec2.*Volume*", "*Throughput|*MultiAttachEnabled|*AvailabilityZoneId|*TargetVolumeType|*OriginalVolumeType"
        "|*TargetIops|*OriginalIops", "sim only", "AWS sends them (D); moto leaves them out",
    ),
    ("ec2.*Volume*", "*DeleteOnTermination|*Iops", "sim only", "AWS sends them (D); moto leaves them out"),
    ("ec2.CreateSnapshots", "*Progress", "value", "a snapshot is `pending` at first, at 0% (D)"),
    ("ec2.CreateSnapshots", "*State", "sim only", "AWS sends it (M)"),
    ("ec2.DescribeImages", "*SriovNetSupport", "sim only", "an image of an instance that has it has it too (D)"),
    ("ec2.AttachNetworkInterface", "NetworkCardIndex", "moto only", "one card is all that is modelled"),
    ("ec2.*NetworkInterface*", "*RequesterId", "moto only", "AWS sends it of interfaces that a service made (D)"),
    # Load balancing.
    ("elbv2.*LoadBalancer|elbv2.*LoadBalancers", "*SecurityGroups", "sim only", "without any, the VPC's default (D)"),
    ("elbv2.DescribeTargetHealth", "*HealthCheckPort", "value", "the port itself (D), not the word `traffic-port`"),
    (
        "elbv2.*Listener*|elbv2.*Rule*", "*.ForwardConfig", "sim only",
        "AWS answers both forms of a forward, whichever was sent (D)",
    ),
    (
        "elbv2.*Rule*", "*.PathPatternConfig|*.HostHeaderConfig", "sim only",
        "AWS answers both forms of a condition, whichever was sent (D)",
    ),
    ("elbv2.*Listener*", "*SslPolicy", "moto only", "a listener without TLS has no policy for it (D)"),
    ("elbv2.*Attributes", "Attributes.load_balancing.cross_zone.enabled", "value", "on for ALBs on AWS (D)"),
    ("elbv2.*TargetGroupAttributes", "Attributes.waf.*", "moto only", "that is an attribute of load balancers (D)"),
    ("elbv2.*LoadBalancer|elbv2.*LoadBalancers", "*DNSName|*CanonicalHostedZoneId", "value", "made up; both have AWS's form"),
    ("elbv2.DescribeRules", "*RuleArn", "value", "moto's default rule has an id of another form than the rest"),
    ("elbv2.*Attributes", "Attributes.*", "sim only", "AWS answers every attribute there is (D); moto those it knows"),
    # The network.
    ("ec2.*Subnet*", "*Ipv6Native|*PrivateDnsNameOptionsOnLaunch", "moto only", "about IPv6, which is not modelled"),
    (
        "ec2.DescribeAvailabilityZones", "*GroupName|*NetworkBorderGroup|*OptInStatus", "sim only",
        "AWS sends them of every zone (D); moto leaves them out",
    ),
    ("elbv2.SetSubnets", "IpAddressType", "sim only", "AWS answers it (M)"),
    # Security groups and key pairs.
    ("ec2.DescribeKeyPairs", "*KeyType", "sim only", "AWS sends it of every key pair (D)"),
    ("ec2.DeleteSecurityGroup", "GroupId|Return", "sim only", "AWS names what it deleted (M)"),
    ("ec2.*SecurityGroup*", "*GroupOwnerId", "sim only", "AWS sends it of every rule (D)"),
    ("ec2.RevokeSecurityGroup*", "RevokedSecurityGroupRules", "sim only", "AWS names what it revoked (M)"),
    # Launch templates.
    ("ec2.*LaunchTemplate*", "*CreatedBy", "value", "the caller's own ARN (D); moto says it was the root user"),
    (
        "ec2.DeleteLaunchTemplate", "*CreateTime|*CreatedBy|*LatestVersionNumber", "sim only",
        "AWS answers the whole template that it deleted (M)",
    ),
    # Parameters.
    ("ssm.DescribeParameters", "*ARN", "sim only", "AWS sends it (M)"),
    ("ssm.DescribeParameters", "*LastModifiedUser", "value", "the caller's own ARN (D); moto says N/A"),
    # Identities.
    ("sts.GetCallerIdentity", "UserId", "value", "a user's id begins with AIDA (D); moto says an access key's"),
    ("sts.GetCallerIdentity", "Arn", "value", "moto names a user by an STS ARN; a user's is of IAM (D)"),
    ("sts.AssumeRole", "PackedPolicySize", "moto only", "AWS sends it for session policies only (D); none was given"),
]
