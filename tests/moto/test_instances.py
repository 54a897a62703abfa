"""Instances and images: what AWS says that moto alone does not."""

import unittest

from harness import REGION, LauncherTest, setUpModule  # noqa: F401


class Starting(LauncherTest):
    def setUp(self):
        super().setUp()
        self.world = self.post("world/incident")
        self.blue, self.green = self.world["blue"], self.world["green"]
        self.ec2 = self.client("ec2")

    def test_the_worlds_instances_look_like_real_ones(self):
        row = self.ec2.describe_instances(InstanceIds=[self.blue])["Reservations"][0]["Instances"][0]
        self.assertEqual(row["Architecture"], "x86_64")
        self.assertEqual(row["RootDeviceType"], "ebs")
        self.assertEqual(row["State"], {"Code": 16, "Name": "running"})
        self.assertNotIn("StateReason", row)
        self.assertNotIn("PublicIpAddress", row)
        self.assertEqual(row["Placement"]["AvailabilityZone"], REGION + "a")

    def test_a_start_is_pending_for_one_answer_and_then_running(self):
        self.post("stop", instance=self.green)
        answer = self.ec2.start_instances(InstanceIds=[self.green])["StartingInstances"][0]
        self.assertEqual(answer["PreviousState"]["Name"], "stopped")
        self.assertEqual(answer["CurrentState"]["Name"], "pending")
        self.assertEqual(self.states(self.ec2)[self.green], "pending")
        self.assertEqual(self.states(self.ec2)[self.green], "running")

    def test_a_boot_lasts_as_many_answers_as_the_mode_says(self):
        self.post("stop", instance=self.green)
        self.post("mode", boot_describes=0)
        self.ec2.start_instances(InstanceIds=[self.green])
        self.assertEqual(self.states(self.ec2)[self.green], "running")
        self.post("stop", instance=self.green)
        self.post("mode", boot_describes=3)
        self.ec2.start_instances(InstanceIds=[self.green])
        seen = [self.states(self.ec2)[self.green] for _ in range(4)]
        self.assertEqual(seen, ["pending", "pending", "pending", "running"])

    def test_a_boot_ends_although_only_running_instances_are_asked_for(self):
        self.post("stop", instance=self.green)
        self.ec2.start_instances(InstanceIds=[self.green])
        running = [{"Name": "instance-state-name", "Values": ["running"]}]
        counts = [len(self.ec2.describe_instances(Filters=running)["Reservations"]) for _ in range(2)]
        self.assertEqual(counts, [1, 2])

    def test_without_auto_only_a_tick_moves_the_world(self):
        self.post("mode", auto=False)
        self.post("stop", instance=self.green)
        self.ec2.start_instances(InstanceIds=[self.green])
        self.assertEqual({self.states(self.ec2)[self.green] for _ in range(5)}, {"pending"})
        self.post("tick")
        self.assertEqual(self.states(self.ec2)[self.green], "running")

    def test_a_running_instance_may_be_started_and_nothing_happens(self):
        answer = self.ec2.start_instances(InstanceIds=[self.blue])["StartingInstances"][0]
        self.assertEqual(
            (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]), ("running", "running")
        )

    def test_one_instance_that_cannot_be_started_fails_the_batch(self):
        self.post("stop", instance=self.green)
        for state in ("terminated", "shutting-down", "stopping"):
            self.post("mode", auto=False)
            self.post("state", instance=self.blue, state=state)
            _, text = self.refused(
                "IncorrectInstanceState", self.ec2.start_instances, InstanceIds=[self.green, self.blue]
            )
            self.assertIn(self.blue, text)
            self.assertEqual(self.states(self.ec2)[self.green], "stopped")

    def test_an_unknown_id_fails_the_batch_and_is_named(self):
        self.post("stop", instance=self.green)
        ids = [self.green, "i-00000000000000000"]
        _, text = self.refused("InvalidInstanceID.NotFound", self.ec2.start_instances, InstanceIds=ids)
        self.assertIn("i-00000000000000000", text)
        self.assertEqual(self.states(self.ec2)[self.green], "stopped")

    def test_a_dry_run_starts_nothing(self):
        self.post("stop", instance=self.green)
        status, _ = self.refused(
            "DryRunOperation", self.ec2.start_instances, InstanceIds=[self.green], DryRun=True
        )
        self.assertEqual(status, 412)
        self.assertEqual(self.states(self.ec2)[self.green], "stopped")

    def test_a_stop_says_who_did_it(self):
        def reason():
            row = self.ec2.describe_instances(InstanceIds=[self.green])["Reservations"][0]["Instances"][0]
            return row.get("StateReason", {}).get("Code"), row["StateTransitionReason"]

        self.post("stop", instance=self.green)
        self.assertEqual(reason(), ("Server.ScheduledStop", ""))
        self.post("stop", instance=self.green, code="Server.InternalError", transition_reason="odd")
        self.assertEqual(reason(), ("Server.InternalError", "odd"))
        self.ec2.start_instances(InstanceIds=[self.green])
        self.assertIsNone(reason()[0])
        self.assertEqual(self.states(self.ec2)[self.green], "running")
        self.ec2.stop_instances(InstanceIds=[self.green])
        self.assertEqual(self.states(self.ec2)[self.green], "stopping")
        code, transition = reason()
        self.assertEqual(code, "Client.UserInitiatedShutdown")
        self.assertTrue(transition.startswith("User initiated ("), transition)
        self.assertEqual(self.states(self.ec2)[self.green], "stopped")

    def test_a_start_may_fall_back(self):
        self.post("stop", instance=self.green)
        self.post("start_outcome", instance=self.green, outcome="falls_back")
        self.ec2.start_instances(InstanceIds=[self.green])
        self.assertEqual([self.states(self.ec2)[self.green] for _ in range(2)], ["pending", "stopped"])
        row = self.ec2.describe_instances(InstanceIds=[self.green])["Reservations"][0]["Instances"][0]
        self.assertEqual(row["StateReason"]["Code"], "Client.InternalError")
        self.post("start_outcome", instance=self.green, outcome="holds")
        self.ec2.start_instances(InstanceIds=[self.green])
        self.assertEqual([self.states(self.ec2)[self.green] for _ in range(2)], ["pending", "running"])

    def test_a_poisoned_instance_fails_every_batch_that_names_it(self):
        for instance in (self.blue, self.green):
            self.post("stop", instance=instance)
        self.post("start_outcome", instance=self.blue, outcome="poison")
        self.refused("IncorrectInstanceState", self.ec2.start_instances, InstanceIds=[self.green, self.blue])
        self.post("start_outcome", instance=self.blue, outcome="poison", code="InsufficientInstanceCapacity")
        status, _ = self.refused(
            "InsufficientInstanceCapacity", self.ec2.start_instances, InstanceIds=[self.blue]
        )
        self.assertEqual(status, 500)
        self.ec2.start_instances(InstanceIds=[self.green])
        self.assertEqual(self.states(self.ec2), {self.blue: "stopped", self.green: "pending"})


class Listing(LauncherTest):
    def setUp(self):
        super().setUp()
        self.ec2 = self.client("ec2")

    def test_listings_are_paged_by_instance(self):
        ids = self.post("world/instance", tags={"team": "tis"}, count=7)["ids"]
        listings = {
            "describe_instances": lambda p: [
                i["InstanceId"] for r in p["Reservations"] for i in r["Instances"]
            ],
            "describe_instance_status": lambda p: [i["InstanceId"] for i in p["InstanceStatuses"]],
            "describe_instance_image_metadata": lambda p: [
                i["InstanceId"] for i in p["InstanceImageMetadata"]
            ],
        }
        for name, read in listings.items():
            with self.subTest(name):
                pages = [read(page) for page in self.ec2.get_paginator(name).paginate(MaxResults=5)]
                self.assertEqual([len(page) for page in pages], [5, 2])
                self.assertEqual(pages[0] + pages[1], ids)
                self.post("mode", page_size=3)
                pages = [read(page) for page in self.ec2.get_paginator(name).paginate()]
                self.assertEqual([len(page) for page in pages], [3, 3, 1])
                self.post("mode", page_size=0)
                call = getattr(self.ec2, name)
                self.refused("InvalidParameterValue", call, MaxResults=4)
                self.refused("InvalidParameterCombination", call, MaxResults=5, InstanceIds=ids[:1])
                self.refused("InvalidInstanceID.NotFound", call, InstanceIds=[ids[0], "i-0123456789abcdef0"])

    def test_tag_filters_are_applied(self):
        mine = self.post("world/instance", tags={"team": "tis"}, count=2)["ids"]
        self.post("world/instance", tags={"team": "other"})
        wanted = [{"Name": "tag:team", "Values": ["tis"]}]
        page = self.ec2.describe_instances(Filters=wanted)["Reservations"]
        self.assertEqual([i["InstanceId"] for r in page for i in r["Instances"]], mine)
        page = self.ec2.describe_instance_image_metadata(Filters=wanted)["InstanceImageMetadata"]
        self.assertEqual([i["InstanceId"] for i in page], mine)
        page = self.ec2.describe_instance_image_metadata(
            Filters=[{"Name": "instance-id", "Values": mine[:1]}]
        )["InstanceImageMetadata"]
        self.assertEqual([i["InstanceId"] for i in page], mine[:1])

    def test_a_filter_that_the_server_lacks_is_refused_by_name(self):
        self.post("world/instance", tags={})
        unknown = [{"Name": "client-token", "Values": ["x"]}]
        for name, code in (
            ("describe_instances", "NotImplemented"),
            ("describe_instance_image_metadata", "NotImplemented"),
            ("describe_instance_status", "InvalidParameterValue"),
        ):
            status, text = self.refused(code, getattr(self.ec2, name), Filters=unknown)
            self.assertEqual(status, 400)
            self.assertIn("client-token", text)

    def test_an_action_that_the_server_lacks_is_refused_by_name(self):
        status, text = self.refused("NotImplemented", self.ec2.describe_fast_launch_images)
        self.assertEqual(status, 400)
        self.assertIn("DescribeFastLaunchImages", text)
        lookups = self.client("cloudtrail").lookup_events
        status, text = self.refused("NotImplemented", lookups)
        self.assertEqual(status, 400)
        self.assertIn("LookupEvents", text)


class Statuses(LauncherTest):
    def setUp(self):
        super().setUp()
        self.ec2 = self.client("ec2")
        self.id, self.other = self.post("world/instance", tags={}, count=2)["ids"]

    def row(self, **params):
        return self.ec2.describe_instance_status(InstanceIds=[self.id], **params)["InstanceStatuses"][0]

    def test_checks_are_ok_or_as_told(self):
        self.assertEqual(self.row()["SystemStatus"]["Status"], "ok")
        self.post("status", instance=self.id, system="impaired", since="2026-11-01T04:00:00Z")
        row = self.row()
        self.assertEqual(row["SystemStatus"]["Status"], "impaired")
        self.assertEqual(
            row["SystemStatus"]["Details"][0]["ImpairedSince"].isoformat(), "2026-11-01T04:00:00+00:00"
        )
        self.assertEqual(row["InstanceStatus"]["Status"], "ok")
        self.post("status", instance=self.id, instance_check="insufficient-data")
        row = self.row()
        self.assertEqual(row["SystemStatus"]["Status"], "ok")
        self.assertEqual(row["InstanceStatus"]["Status"], "insufficient-data")
        self.post("status", instance=self.id)
        self.assertEqual(self.row()["InstanceStatus"]["Status"], "ok")

    def test_a_fresh_boot_initialises_and_forgets_the_failed_check(self):
        self.post("status", instance=self.id, system="impaired")
        self.post("stop", instance=self.id)
        self.assertEqual(self.row(IncludeAllInstances=True)["SystemStatus"]["Status"], "not-applicable")
        self.ec2.start_instances(InstanceIds=[self.id])
        self.post("tick")
        self.assertEqual([self.row()["SystemStatus"]["Status"] for _ in range(2)], ["initializing", "ok"])

    def test_only_running_instances_are_listed_unless_all_are_asked_for(self):
        self.post("stop", instance=self.id)
        listed = self.ec2.describe_instance_status()["InstanceStatuses"]
        self.assertEqual([row["InstanceId"] for row in listed], [self.other])
        every = self.ec2.describe_instance_status(IncludeAllInstances=True)["InstanceStatuses"]
        self.assertEqual(len(every), 2)

    def test_scheduled_events_come_and_go(self):
        self.post(
            "event", instance=self.id, code="instance-stop", not_before="2026-12-01T04:00:00Z", id="e-1"
        )
        event = self.row()["Events"][0]
        self.assertEqual((event["Code"], event["InstanceEventId"]), ("instance-stop", "e-1"))
        self.assertEqual(event["NotBefore"].isoformat(), "2026-12-01T04:00:00+00:00")
        self.post("event", instance=self.id, id="e-1", description="[Completed] The instance was moved")
        self.assertTrue(self.row()["Events"][0]["Description"].startswith("[Completed]"))
        filtered = self.ec2.describe_instance_status(
            Filters=[{"Name": "event.code", "Values": ["instance-stop"]}]
        )
        self.assertEqual(filtered["InstanceStatuses"], [])
        self.post("event", instance=self.id, id="e-1", description=None)
        self.assertEqual(self.row().get("Events", []), [])


class Images(LauncherTest):
    def setUp(self):
        super().setUp()
        self.world = self.post("world/incident")
        self.image = self.world["image"]
        self.ec2 = self.client("ec2")

    def metadata(self):
        page = self.ec2.describe_instance_image_metadata(InstanceIds=[self.world["green"]])
        return page["InstanceImageMetadata"][0]["ImageMetadata"]

    def images(self, **params):
        return [
            image["ImageId"] for image in self.ec2.describe_images(ImageIds=[self.image], **params)["Images"]
        ]

    def test_the_metadata_of_an_available_image_is_complete(self):
        page = self.ec2.describe_instance_image_metadata(InstanceIds=[self.world["green"]])
        row = page["InstanceImageMetadata"][0]
        self.assertEqual(row["InstanceId"], self.world["green"])
        self.assertEqual(row["State"]["Name"], "running")
        self.assertEqual(row["OwnerId"], "123456789012")
        self.assertIn({"Key": "Name", "Value": "tis-prod-green"}, row["Tags"])
        image = row["ImageMetadata"]
        self.assertEqual(image["ImageId"], self.image)
        self.assertEqual(
            (image["State"], image["ImageAllowed"], image["IsPublic"]), ("available", True, False)
        )
        self.assertEqual((image["Name"], image["OwnerId"]), ("tis-base-2024-03-01", "123456789012"))
        self.assertEqual(self.images(), [self.image])

    def test_a_deregistered_image_is_named_by_the_metadata_alone_and_may_be_restored(self):
        self.ec2.deregister_image(ImageId=self.image)
        self.assertEqual(self.metadata()["State"], "deregistered")
        self.assertEqual(self.metadata()["Name"], "tis-base-2024-03-01")
        self.assertEqual(self.images(IncludeDisabled=True, IncludeDeprecated=True), [])
        self.post("ami", image=self.image, action="restore")
        self.assertEqual(self.metadata()["State"], "available")
        self.assertEqual(self.images(), [self.image])

    def test_a_disabled_image_is_hidden_unless_asked_for(self):
        self.post("ami", image=self.image, action="disable")
        self.assertEqual(self.metadata()["State"], "disabled")
        self.assertEqual(self.images(), [])
        self.assertEqual(self.images(IncludeDisabled=True), [self.image])
        self.post("ami", image=self.image, action="enable")
        self.assertEqual(self.images(), [self.image])

    def test_an_image_made_private_by_its_owner_is_available_yet_not_ours(self):
        self.post("ami", image=self.image, action="private")
        row = self.metadata()
        self.assertEqual((row["State"], row["ImageAllowed"]), ("available", True))
        self.assertNotEqual(row["OwnerId"], "123456789012")
        self.assertEqual(self.images(IncludeDisabled=True, IncludeDeprecated=True), [])
        self.post("ami", image=self.image, action="share")
        self.assertEqual(self.images(), [self.image])

    def test_a_deprecated_image_can_be_launched_and_a_disallowed_one_cannot(self):
        self.post("ami", image=self.image, action="deprecate")
        self.assertIn("DeprecationTime", self.metadata())
        self.assertEqual(self.images(), [self.image])
        self.post("ami", image=self.image, action="disallow")
        self.assertIs(self.metadata()["ImageAllowed"], False)
        self.assertEqual(self.images(), [])

    def test_an_image_id_that_never_was_is_not_found_by_id_and_nothing_by_filter(self):
        unknown = "ami-00000000000000000"
        self.refused("InvalidAMIID.NotFound", self.ec2.describe_images, ImageIds=[unknown])
        found = self.ec2.describe_images(Filters=[{"Name": "image-id", "Values": [unknown, self.image]}])
        self.assertEqual([image["ImageId"] for image in found["Images"]], [self.image])


if __name__ == "__main__":
    unittest.main()
