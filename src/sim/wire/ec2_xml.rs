//! EC2's answers.

use std::sync::Arc;

use super::xml::{Xml, time};
use crate::sim::world::api::{ImageOfInstance, StateChange};
use crate::sim::world::network::zone_id;
use crate::sim::world::tags::{self, Tags};
use crate::sim::world::{CheckStatus, Instance, ScheduledEvent, State};

pub(super) fn state(xml: &mut Xml, state: State) {
    xml.text("code", state.code().to_string());
    xml.text("name", state.name());
}

pub(super) fn tags(xml: &mut Xml, instance: &Instance) {
    if instance.tags.is_empty() {
        return;
    }
    xml.list("tagSet", "item", &instance.tags, |xml, (key, tag)| {
        xml.text("key", key);
        xml.text("value", &tag.value);
    });
}

pub(super) fn statuses(xml: &mut Xml, items: &[Arc<Instance>], next: Option<&str>) {
    xml.list("instanceStatusSet", "item", items, |xml, i| {
        xml.text("instanceId", &i.id);
        xml.text("availabilityZone", &i.zone);
        if !i.events.is_empty() {
            xml.list("eventsSet", "item", &i.events, write_event);
        }
        xml.element("instanceState", |xml| state(xml, i.state));
        xml.element("systemStatus", |xml| check(xml, i.system_check));
        xml.element("instanceStatus", |xml| check(xml, i.instance_check));
        xml.element("attachedEbsStatus", |xml| check(xml, i.ebs_check));
    });
    xml.maybe("nextToken", next);
}

pub(super) fn write_event(xml: &mut Xml, event: &ScheduledEvent) {
    xml.text("instanceEventId", &event.id);
    xml.text("code", &event.code);
    xml.text("description", &event.description);
    xml.text("notBefore", time(event.not_before));
    xml.maybe("notAfter", event.not_after.map(time));
    xml.maybe("notBeforeDeadline", event.not_before_deadline.map(time));
}

fn check(xml: &mut Xml, status: CheckStatus) {
    xml.text("status", status.name());
    let Some(detail) = status.reachability() else {
        return;
    };
    xml.list("details", "item", [detail], |xml, detail| {
        xml.text("name", "reachability");
        xml.text("status", detail);
        if let CheckStatus::Impaired(since) = status {
            xml.text("impairedSince", time(since));
        }
    });
}

pub(super) fn image_metadata(xml: &mut Xml, items: &[ImageOfInstance], next: Option<&str>) {
    xml.list("instanceImageMetadataSet", "item", items, |xml, of| {
        let i = &of.instance;
        xml.text("instanceId", &i.id);
        xml.text("instanceType", &i.instance_type);
        xml.text("launchTime", time(i.launch_time));
        xml.text("availabilityZone", &i.zone);
        xml.text("zoneId", zone_id(&i.zone));
        xml.element("instanceState", |xml| state(xml, i.state));
        xml.text("instanceOwnerId", &i.scope.account);
        tags(xml, i);
        xml.element("imageMetadata", |xml| super::ec2_images::metadata_of(xml, of));
    });
    xml.maybe("nextToken", next);
}

pub(super) fn state_changes(xml: &mut Xml, changes: &[StateChange]) {
    xml.list("instancesSet", "item", changes, |xml, change| {
        xml.text("instanceId", &change.id);
        xml.element("currentState", |xml| state(xml, change.current));
        xml.element("previousState", |xml| state(xml, change.previous));
    });
}

/// EC2's `tagSet`, which an object without tags does not have.
pub(super) fn tag_set(xml: &mut Xml, tags: &Tags) {
    if tags.is_empty() {
        return;
    }
    xml.list("tagSet", "item", tags, |xml, (key, value)| {
        xml.text("key", key);
        xml.text("value", value);
    });
}

pub(super) fn tags_answer(xml: &mut Xml, answer: &tags::Answer) {
    match answer {
        tags::Answer::Tags(listing) => xml.listing("tagSet", listing, |xml, line| {
            xml.text("key", &line.key);
            xml.text("resourceId", &line.resource);
            xml.text("resourceType", line.kind);
            xml.text("value", &line.value);
        }),
    }
}
