//! What the describe calls show, through the real clients.

use super::*;
use crate::sim::world::incident;

#[test]
fn the_incident_world_looks_as_on_aws() {
    simulate(incident::world(1), |cloud| async move {
        let sdk = sdk(&cloud);
        let ec2 = aws_sdk_ec2::Client::new(&sdk);
        let answer = ec2.describe_instances().send().await.unwrap();
        let instances: Vec<_> = answer.reservations().iter().flat_map(|r| r.instances()).collect();
        let ids: Vec<_> = instances.iter().filter_map(|i| i.instance_id()).collect();
        assert_eq!(ids, [incident::GREEN, incident::BLUE]);
        assert_eq!(instances[0].state().unwrap().name().unwrap().as_str(), "running");
        assert_eq!(instances[0].tags()[0].value(), Some("tis-prod-green"));

        let sts = aws_sdk_sts::Client::new(&sdk);
        let identity = sts.get_caller_identity().send().await.unwrap();
        assert_eq!(identity.account(), Some(ACCOUNT));

        let elb = aws_sdk_elasticloadbalancingv2::Client::new(&sdk);
        let groups = elb
            .describe_target_groups()
            .names("tis-prod")
            .send()
            .await
            .unwrap();
        let arn = groups.target_groups()[0].target_group_arn().unwrap();
        let health = elb
            .describe_target_health()
            .target_group_arn(arn)
            .send()
            .await
            .unwrap();
        let states: Vec<_> = health
            .target_health_descriptions()
            .iter()
            .map(|d| {
                (
                    d.target().unwrap().port().unwrap(),
                    d.target_health().unwrap().state().unwrap().as_str(),
                )
            })
            .collect();
        assert_eq!(states, [(8080, "healthy"), (8080, "healthy")]);
    });
}
