//! The project's own reading of AWS, over the simulation's seams.

use std::collections::BTreeSet;

use super::*;
use crate::aws::{Priority, Reader, ScopeKey, Sdk, StatusesOf};
use crate::sim::wire;
use crate::sim::world::{GroupSpec, InstanceSpec, incident};

#[test]
fn the_production_reader_understands_every_room_it_enters() {
    let member = InstanceSpec::new(&id(1)).group("web");
    let world = incident::world(1)
        .instance(member)
        .group(GroupSpec::new("web", 1, 1, 1));
    simulate(world, |cloud| async move {
        let seams = cloud.seams(&Incarnation::controller(1), ACCOUNT, REGION, 1);
        let sdk = Sdk::new(cloud.env(1), seams);
        let reader = Reader::new(
            &sdk,
            &ScopeKey {
                role: None,
                region: None,
            },
        )
        .await
        .unwrap();
        let read = Priority::Repair;
        assert_eq!(reader.caller_account(read).await.unwrap().as_str(), ACCOUNT);
        assert_eq!(reader.instances(&[], read).await.complete().unwrap().len(), 3);
        assert_eq!(
            reader
                .statuses(&StatusesOf::AllRunning, read)
                .await
                .unwrap()
                .len(),
            3
        );
        let images = reader.image_metadata(&[], read).await.unwrap();
        assert_eq!(images.len(), 3);
        let images: BTreeSet<_> = images.into_values().map(|image| image.image).collect();
        assert_eq!(reader.image_listings(&images, read).await.unwrap().len(), 1);
        let groups = reader.target_groups(read).await.unwrap();
        assert_eq!(groups.len(), 2);
        let mut targets = 0;
        for group in &groups {
            targets += reader.target_health(&group.arn, read).await.unwrap().len();
        }
        assert_eq!(targets, 3);
        let names = BTreeSet::from(["web".to_owned()]);
        assert_eq!(
            reader.scaling_groups(&names, read).await.unwrap().get("web"),
            Some(&Some(1))
        );
        let names = BTreeSet::from(["/keepgreen/pause".to_owned()]);
        assert_eq!(reader.parameters(&names, read).await.unwrap().len(), 0);
        assert_eq!(cloud.violations(), []);
    });
}

#[test]
fn every_operation_that_the_program_may_call_has_a_room() {
    let rooms: BTreeSet<&str> = wire::routes().map(|route| route.action).collect();
    for api in crate::aws::api::Api::ALL {
        assert!(rooms.contains(api.name()), "{}", api.name());
    }
}
