//! "The AMI is gone", told apart from what merely looks like it.

use tokio::time::sleep;

use super::*;
use crate::sim::world::{ImageSpec, InstanceSpec, incident};

const FOREIGN: &str = "ami-0f000000000000001";
const OTHERS: &str = "444455556666";

/// What DescribeImages by id says, and what the instance's metadata says: state and whether it is allowed.
async fn witnesses(cloud: &Cloud, image: &str) -> (String, String) {
    let ec2 = aws_sdk_ec2::Client::new(&sdk(cloud));
    let asked = ec2
        .describe_images()
        .image_ids(image)
        .include_deprecated(true)
        .include_disabled(true)
        .send()
        .await;
    let listed = match &asked {
        Ok(answer) => answer
            .images()
            .first()
            .map_or("empty", |i| i.state().unwrap().as_str()),
        Err(error) => code(error),
    };
    let answer = ec2.describe_instance_image_metadata().send().await.unwrap();
    let all = answer
        .instance_image_metadata()
        .iter()
        .filter_map(|i| i.image_metadata());
    let mut metadata = all.filter(|m| m.image_id() == Some(image)).map(|m| {
        let allowed = if m.image_allowed() == Some(true) {
            "allowed"
        } else {
            "not allowed"
        };
        format!("{} {allowed}", m.state().unwrap().as_str())
    });
    (listed.to_owned(), metadata.next_back().unwrap_or_default())
}

fn pair(a: &str, b: &str) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

#[test]
fn a_deregistered_image_is_shown_briefly_then_empty_and_not_found_once_unused() {
    simulate(incident::world(1), |cloud| async move {
        assert_eq!(
            witnesses(&cloud, incident::IMAGE).await,
            pair("available", "available allowed")
        );
        cloud.world(|w| assert!(w.deregister_image(incident::IMAGE)));
        assert_eq!(
            witnesses(&cloud, incident::IMAGE).await,
            pair("deregistered", "deregistered allowed")
        );
        sleep(seconds(60)).await;
        assert_eq!(
            witnesses(&cloud, incident::IMAGE).await,
            pair("empty", "deregistered allowed")
        );
        cloud.world(|w| [incident::BLUE, incident::GREEN].map(|id| assert!(w.terminate(id))));
        sleep(seconds(120)).await;
        assert_eq!(
            witnesses(&cloud, incident::IMAGE).await.0,
            "InvalidAMIID.NotFound"
        );
        cloud.world(|w| assert!(w.restore_image(incident::IMAGE)));
        assert_eq!(witnesses(&cloud, incident::IMAGE).await.0, "available");
    });
}

#[test]
fn private_disabled_deprecated_and_not_allowed_are_told_apart() {
    let world = incident::world(1)
        .account(OTHERS)
        .image(ImageSpec::new(FOREIGN).owner(OTHERS).shared_with(ACCOUNT))
        .instance(InstanceSpec::new(&id(1)).image(FOREIGN));
    simulate(world, |cloud| async move {
        assert_eq!(
            witnesses(&cloud, FOREIGN).await,
            pair("available", "available allowed")
        );
        cloud.world(|w| w.share_image(FOREIGN, ACCOUNT, false));
        assert_eq!(
            witnesses(&cloud, FOREIGN).await,
            pair("empty", "available allowed")
        );
        cloud.world(|w| w.share_image(FOREIGN, ACCOUNT, true));
        cloud.world(|w| w.allow_image(FOREIGN, ACCOUNT, false));
        assert_eq!(
            witnesses(&cloud, FOREIGN).await,
            pair("InvalidAMIID.NotFound", "available not allowed")
        );
        cloud.world(|w| w.disable_image(incident::IMAGE));
        assert_eq!(
            witnesses(&cloud, incident::IMAGE).await,
            pair("disabled", "disabled allowed")
        );
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let plain = ec2
            .describe_images()
            .image_ids(incident::IMAGE)
            .send()
            .await
            .unwrap();
        assert_eq!(plain.images().len(), 0);
        cloud.world(|w| w.allow_image(FOREIGN, ACCOUNT, true));
        cloud.world(|w| w.deprecate_image(FOREIGN, w.now()));
        assert_eq!(
            witnesses(&cloud, FOREIGN).await,
            pair("available", "available allowed")
        );
        let plain = ec2.describe_images().image_ids(FOREIGN).send().await.unwrap();
        assert_eq!(plain.images().len(), 0);
    });
}

#[test]
fn a_listing_by_owner_or_filter_never_fails_for_what_is_gone() {
    let world = incident::world(1).image(ImageSpec::new(FOREIGN).owner(OTHERS).public());
    simulate(world, |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let own = ec2.describe_images().owners("self").send().await.unwrap();
        assert_eq!(own.images().len(), 1);
        let filter = aws_sdk_ec2::types::Filter::builder()
            .name("image-id")
            .values("ami-00000000000000bad")
            .values(FOREIGN);
        let some = ec2
            .describe_images()
            .filters(filter.build())
            .send()
            .await
            .unwrap();
        assert_eq!(some.images()[0].image_id(), Some(FOREIGN));
        let error = ec2
            .describe_images()
            .image_ids("ami-00000000000000bad")
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidAMIID.NotFound");
    });
}
