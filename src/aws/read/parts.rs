//! EC2: one instance in full, for its blueprint.

use super::Reader;
use super::catalogue::InstanceKind;
use super::page::{Page, odd_answer, pages};
use crate::aws::api::Api;
use crate::aws::blueprint::{Attributes, Whole, check};
use crate::aws::budget::Priority;
use crate::model::{AwsError, Blueprint, InstanceId, SlotName};
use aws_sdk_ec2::operation::describe_instance_attribute::DescribeInstanceAttributeOutput;
use aws_sdk_ec2::types::{AttributeBooleanValue, Filter, Instance, InstanceAttributeName, Volume};
use jiff::Timestamp;
use std::collections::BTreeSet;

impl Reader {
    /// Everything that another instance has to have to stand in for this one. `None`: there is no such instance.
    ///
    /// Read while it runs: of a stopped instance AWS does not tell whether it would be given a public address.
    ///
    /// # Errors
    /// If any part could not be read: there is no half blueprint.
    pub async fn blueprint(
        &self,
        instance: &InstanceId,
        slot: &SlotName,
        now: Timestamp,
        priority: Priority,
    ) -> Result<Option<Blueprint>, AwsError> {
        let Some((raw, owner)) = self.raw_instance(instance, priority).await? else {
            return Ok(None);
        };
        let odd = |missing: String| odd_answer(Api::DescribeInstances, instance.as_str(), &missing);
        check(&raw).map_err(odd)?;
        let (attributes, volumes, (kind, cpu_credits)) = tokio::try_join!(
            self.attributes(instance, priority),
            self.volumes_of(&raw, instance, priority),
            self.kind_and_credits(&raw, instance, priority),
        )?;
        let whole = Whole {
            raw: &raw,
            attributes,
            volumes,
            kind,
            cpu_credits,
        };
        let blueprint = whole.blueprint(slot, &owner, &self.region, now);
        blueprint.map(Some).map_err(odd)
    }

    /// With the owner of its reservation.
    async fn raw_instance(
        &self,
        instance: &InstanceId,
        priority: Priority,
    ) -> Result<Option<(Instance, String)>, AwsError> {
        let object = instance.as_str();
        let filter = Filter::builder().name("instance-id").values(object).build();
        let listing = pages(Api::DescribeInstances, object, |token| {
            let request = self
                .ec2
                .describe_instances()
                .filters(filter.clone())
                .set_next_token(token);
            let answer = self
                .caller
                .read(Api::DescribeInstances, object, priority, request.send());
            async {
                let answer = answer.await?;
                let of_reservation = answer.reservations().iter().flat_map(|reservation| {
                    let owner = reservation.owner_id().unwrap_or_default();
                    reservation
                        .instances()
                        .iter()
                        .map(move |raw| (raw.clone(), owner.to_owned()))
                });
                Ok(Page {
                    items: of_reservation.collect(),
                    next: answer.next_token().map(str::to_owned),
                })
            }
        })
        .await;
        let mut all = listing.complete()?.into_iter();
        Ok(all.find(|(raw, _)| raw.instance_id() == Some(object)))
    }

    async fn attributes(&self, instance: &InstanceId, priority: Priority) -> Result<Attributes, AwsError> {
        let (user_data, termination, stop, shutdown) = tokio::try_join!(
            self.attribute(instance, InstanceAttributeName::UserData, priority),
            self.attribute(instance, InstanceAttributeName::DisableApiTermination, priority),
            self.attribute(instance, InstanceAttributeName::DisableApiStop, priority),
            self.attribute(
                instance,
                InstanceAttributeName::InstanceInitiatedShutdownBehavior,
                priority
            ),
        )?;
        let odd = |what: &str| {
            let why = format!("the answer does not tell {what}");
            odd_answer(Api::DescribeInstanceAttribute, instance.as_str(), &why)
        };
        let told = |value: Option<&AttributeBooleanValue>| value.and_then(AttributeBooleanValue::value);
        let shutdown = shutdown
            .instance_initiated_shutdown_behavior()
            .and_then(|value| value.value());
        Ok(Attributes {
            user_data: user_data
                .user_data()
                .and_then(|value| value.value())
                .filter(|data| !data.is_empty())
                .map(str::to_owned),
            termination_protected: told(termination.disable_api_termination())
                .ok_or_else(|| odd("its termination protection"))?,
            stop_protected: told(stop.disable_api_stop()).ok_or_else(|| odd("its stop protection"))?,
            shutdown_terminates: shutdown.ok_or_else(|| odd("its shutdown behavior"))? == "terminate",
        })
    }

    async fn attribute(
        &self,
        instance: &InstanceId,
        attribute: InstanceAttributeName,
        priority: Priority,
    ) -> Result<DescribeInstanceAttributeOutput, AwsError> {
        let request = self
            .ec2
            .describe_instance_attribute()
            .instance_id(instance.as_str())
            .attribute(attribute);
        self.caller
            .read(
                Api::DescribeInstanceAttribute,
                instance.as_str(),
                priority,
                request.send(),
            )
            .await
    }

    /// Every volume that the instance shows, or an error.
    async fn volumes_of(
        &self,
        raw: &Instance,
        instance: &InstanceId,
        priority: Priority,
    ) -> Result<Vec<Volume>, AwsError> {
        let disks = raw.block_device_mappings().iter();
        let wanted: BTreeSet<String> = disks
            .filter_map(|disk| Some(disk.ebs()?.volume_id()?.to_owned()))
            .collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let filter = Filter::builder()
            .name("volume-id")
            .set_values(Some(wanted.iter().cloned().collect()))
            .build();
        let object = format!("the volumes of {instance}");
        let listing = pages(Api::DescribeVolumes, &object, |token| {
            let request = self
                .ec2
                .describe_volumes()
                .filters(filter.clone())
                .set_next_token(token);
            let answer = self
                .caller
                .read(Api::DescribeVolumes, &object, priority, request.send());
            async {
                let answer = answer.await?;
                Ok(Page {
                    items: answer.volumes().to_vec(),
                    next: answer.next_token().map(str::to_owned),
                })
            }
        })
        .await;
        let volumes = listing.complete()?;
        let found: BTreeSet<&str> = volumes.iter().filter_map(Volume::volume_id).collect();
        match wanted.iter().find(|id| !found.contains(id.as_str())) {
            Some(missing) => {
                let why = format!("{missing} is attached and is not in the answer");
                Err(odd_answer(Api::DescribeVolumes, &object, &why))
            }
            None => Ok(volumes),
        }
    }

    /// What its type is, and which credits it has, if it is of a type that has any.
    async fn kind_and_credits(
        &self,
        raw: &Instance,
        instance: &InstanceId,
        priority: Priority,
    ) -> Result<(Option<InstanceKind>, Option<String>), AwsError> {
        let name = raw.instance_type().map(|kind| kind.as_str().to_owned());
        let mut kinds = self
            .instance_kinds(&name.iter().cloned().collect(), priority)
            .await?;
        let kind = name.and_then(|name| kinds.remove(&name));
        let credits = match &kind {
            Some(kind) if kind.burstable => Some(self.cpu_credits(instance, priority).await?),
            _ => None,
        };
        Ok((kind, credits))
    }

    /// Asked by id: without one AWS leaves out the instances that have the option `standard`.
    async fn cpu_credits(&self, instance: &InstanceId, priority: Priority) -> Result<String, AwsError> {
        let object = instance.as_str();
        let request = self
            .ec2
            .describe_instance_credit_specifications()
            .instance_ids(object);
        let answer = self
            .caller
            .read(
                Api::DescribeInstanceCreditSpecifications,
                object,
                priority,
                request.send(),
            )
            .await?;
        let mut all = answer.instance_credit_specifications().iter();
        let found = all.find(|credits| credits.instance_id() == Some(object));
        let credits = found.and_then(|credits| credits.cpu_credits());
        credits.map(str::to_owned).ok_or_else(|| {
            let why = "the answer does not tell its credits";
            odd_answer(Api::DescribeInstanceCreditSpecifications, object, why)
        })
    }
}
