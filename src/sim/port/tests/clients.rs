//! What AWS clients see: accounts, regions, one world for all, and a time that goes on.

use super::*;
use crate::sim::world::State;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::future::join_all;

async fn account_of(served: &Served, key: &str) -> String {
    let sts = aws_sdk_sts::Client::new(&served.sdk(key));
    sts.get_caller_identity().send().await.unwrap().account.unwrap()
}

#[test]
fn what_one_client_does_another_sees_and_time_moves_by_hand() {
    served(async |served| {
        served
            .ec2()
            .stop_instances()
            .instance_ids(incident::BLUE)
            .send()
            .await
            .unwrap();
        let state = async || {
            let answer = served
                .ec2()
                .describe_instances()
                .instance_ids(incident::BLUE)
                .send()
                .await
                .unwrap();
            answer.reservations()[0].instances()[0]
                .state()
                .unwrap()
                .name()
                .unwrap()
                .as_str()
                .to_owned()
        };
        assert_eq!(state().await, "stopping");
        served.post("/_sim/advance", r#"{"seconds": 60}"#).await;
        assert_eq!(state().await, "stopped");
    });
}

#[test]
fn any_key_is_the_ports_own_account_twelve_digits_are_another_and_a_role_is_that_of_its_arn() {
    served(async |served| {
        assert_eq!(account_of(&served, "AKIAANYTHING").await, ACCOUNT);
        assert_eq!(account_of(&served, "999988887777").await, "999988887777");
        let role = "arn:aws:iam::444455556666:role/keepgreen";
        let sts = aws_sdk_sts::Client::new(&served.sdk("AKIAANYTHING"));
        let assumed = sts
            .assume_role()
            .role_arn(role)
            .role_session_name("test")
            .send()
            .await
            .unwrap();
        let key = assumed.credentials.unwrap().access_key_id;
        assert_eq!(account_of(&served, &key).await, "444455556666");
        // Ended sessions are refused, long after too, and never taken for the port's own account.
        for seconds in ["3601", "8640000"] {
            served
                .post("/_sim/advance", &format!(r#"{{"seconds": {seconds}}}"#))
                .await;
            sts.assume_role()
                .role_arn(role)
                .role_session_name("other")
                .send()
                .await
                .unwrap();
            let client = aws_sdk_sts::Client::new(&served.sdk(&key));
            assert!(
                client.get_caller_identity().send().await.is_err(),
                "after {seconds} s"
            );
        }
    });
}

#[test]
fn regions_and_accounts_do_not_see_each_other() {
    served(async |served| {
        let elsewhere = served
            .sdk("AKIA")
            .into_builder()
            .region(Region::new("ap-south-1"))
            .build();
        for sdk in [elsewhere, served.sdk("999988887777")] {
            let ec2 = aws_sdk_ec2::Client::new(&sdk);
            let error = ec2
                .describe_instances()
                .instance_ids(incident::BLUE)
                .send()
                .await
                .unwrap_err();
            assert_eq!(error.code(), Some("InvalidInstanceID.NotFound"));
        }
    });
}

#[test]
fn fifty_clients_at_once_are_all_answered_and_no_change_is_lost() {
    served(async |served| {
        // One instance takes no more than fifty tags.
        let ids = [incident::BLUE, incident::GREEN];
        let clients = (0..50).map(async |n: usize| {
            let ec2 = served.ec2();
            let tag = aws_sdk_ec2::types::Tag::builder()
                .key(format!("client-{n}"))
                .value("was here")
                .build();
            let id = ids[n % 2];
            ec2.create_tags().resources(id).tags(tag).send().await.unwrap();
            ec2.describe_instances().instance_ids(id).send().await.unwrap();
        });
        join_all(clients).await;
        for id in ids {
            let tags = served
                .port
                .act(|state| state.world.instance(id).unwrap().tags.clone());
            assert_eq!(tags.keys().filter(|key| key.starts_with("client-")).count(), 25);
        }
        let (_, calls) = served.control("GET", "/_sim/calls", "").await;
        let calls = calls.as_array().unwrap();
        assert_eq!(calls.len(), 100);
        assert!(calls.iter().all(|call| call["outcome"] == "200"), "{calls:?}");
    });
}

#[test]
fn what_is_due_happens_although_nobody_calls() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let port = Port::new(86_400, 1);
        port.act(|state| {
            let now = state.world.now();
            state.world = incident::world(1).start(now).build();
            assert!(state.world.stop_by_aws(incident::GREEN, "Server.ScheduledStop"));
        });
        let stopped = async {
            let is_stopped = || port.lock().world.instance(incident::GREEN).unwrap().state == State::Stopped;
            while !is_stopped() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = port.live() => {}
            () = stopped => {}
            () = tokio::time::sleep(PATIENCE) => panic!("still not stopped"),
        }
    });
}

#[test]
fn the_trace_is_bounded_and_numbers_go_on() {
    let port = Port::new(0, 1);
    let mut parcel = Parcel::new(HttpRequest::default());
    let calls = u64::try_from(CALLS_KEPT).unwrap() * 3;
    for _ in 0..calls {
        let now = port.clock.now();
        port.act(|state| state.begin(now, Actor::Person, 0, &mut parcel));
    }
    port.act(|state| {
        let last = state.trace.calls().last().unwrap().number;
        assert_eq!(last, calls);
        assert!((CALLS_KEPT..=CALLS_KEPT * 2).contains(&state.trace.calls().len()));
        state.end(state.world.now(), last, Outcome::Reset);
        assert_eq!(state.trace.calls().last().unwrap().outcome, Outcome::Reset);
    });
}
