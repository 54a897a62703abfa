//! What seldom meets a replacement: a group without room, a token that is taken, an older journal, tags that go.

use super::replace::{
    GOOD_IMAGE, POLICY, alive_in_place_of, assert_replaced, declared, running, strike_green,
};
use super::stage::{count, live, nothing_broken, on_stage};
use keepgreen::sim::oracle::Declared;
use keepgreen::sim::world::builder::incident::{BLUE, GREEN, IMAGE};
use keepgreen::sim::world::builder::{ACCOUNT, ImageSpec, InstanceSpec, REGION, TargetGroupSpec};
use keepgreen::sim::world::{Scope, State, World, WorldBuilder};
use keepgreen::sim::{Fault, Stage, When};

/// The incident's world, where blue is from the image that stays: one replacement to watch.
fn world(seed: u64) -> World {
    let instance = |id: &str, name: &str| InstanceSpec::new(id).name(name);
    let blue = instance(BLUE, "tis-prod-blue")
        .zone("eu-west-2a")
        .image(GOOD_IMAGE);
    let green = instance(GREEN, "tis-prod-green").zone("eu-west-2b");
    let prod = TargetGroupSpec::new("tis-prod", 8080).target(BLUE).target(GREEN);
    WorldBuilder::new(seed)
        .image(ImageSpec::new(IMAGE))
        .image(ImageSpec::new(GOOD_IMAGE))
        .instance(blue)
        .instance(green)
        .target_group(prod)
        .target_group(TargetGroupSpec::new("tis-upload", 8443).target(GREEN))
        .build()
}

fn at_night(seed: u64, policy: &str, declared: Declared, night: impl AsyncFnOnce(&mut Stage)) {
    on_stage(
        seed,
        &[("tis.yaml", policy)],
        world(seed),
        async |stage: &mut Stage| {
            stage.cloud.declare(declared);
            live(stage, 3).await;
            night(stage).await;
        },
    );
}

/// Nothing but the two that are there may be in a target group.
fn fill_groups(stage: &Stage) {
    let scope = Scope::new(ACCOUNT, REGION);
    let known = stage
        .cloud
        .world(|world| world.set_balancing_quota(&scope, "targets-per-target-group", Some(2)));
    assert!(known);
}

#[test]
fn in_a_full_group_the_old_one_makes_room_first_if_the_floor_allows() {
    at_night(31, POLICY, declared(), async |stage| {
        fill_groups(stage);
        strike_green(stage);
        live(stage, 60).await;
        assert_replaced(stage, "tis-prod-green", GREEN);
        assert_eq!(count(stage, "RunInstances"), 1, "{}", stage.cloud.story());
        nothing_broken(stage);
    });
}

#[test]
fn in_a_full_group_whose_floor_holds_nothing_is_taken_out_and_nothing_is_left() {
    let policy = format!("{POLICY}limits: {{ min_healthy: 2 }}\n");
    let mut declared = declared();
    declared.services[0].min_healthy = 2;
    at_night(32, &policy, declared, async |stage| {
        fill_groups(stage);
        strike_green(stage);
        live(stage, 240).await;
        assert_eq!(
            running(stage, "tis-prod-green"),
            [GREEN],
            "{}",
            stage.cloud.story()
        );
        assert_eq!(alive_in_place_of(stage, GREEN), 0, "{}", stage.cloud.story());
        let taken_out = |params: &str| params.contains(GREEN);
        let calls = stage.cloud.calls();
        let mut out = calls.iter().filter(|call| call.action == "DeregisterTargets");
        assert!(
            !out.any(|call| taken_out(&call.params)),
            "{}",
            stage.cloud.story()
        );
        nothing_broken(stage);
    });
}

#[test]
fn one_that_fails_after_the_old_one_made_room_gives_the_place_back() {
    at_night(33, POLICY, declared(), async |stage| {
        fill_groups(stage);
        stage.cloud.world(|world| {
            use keepgreen::sim::world::launch::ImageFault;
            world.break_image(GOOD_IMAGE, Some(ImageFault::NeverServes));
        });
        strike_green(stage);
        live(stage, 240).await;
        assert_eq!(
            running(stage, "tis-prod-green"),
            [GREEN],
            "{}",
            stage.cloud.story()
        );
        assert_eq!(alive_in_place_of(stage, GREEN), 0, "{}", stage.cloud.story());
        let healthy = stage.cloud.world(|world| {
            let group = world.target_group("tis-prod").unwrap();
            [BLUE, GREEN].map(|id| group.health_of(id, 8080).names().0)
        });
        assert_eq!(healthy, ["healthy", "healthy"], "{}", stage.cloud.story());
        nothing_broken(stage);
    });
}

#[test]
fn a_token_that_aws_says_was_used_and_of_which_nothing_comes_is_given_up_for_another() {
    at_night(34, POLICY, declared(), async |stage| {
        strike_green(stage);
        let mismatch = Fault::error("IdempotentParameterMismatch", "the arguments are inconsistent");
        stage.cloud.inject(When::action("RunInstances").once(), mismatch);
        live(stage, 14).await;
        assert_eq!(count(stage, "RunInstances"), 1, "{}", stage.cloud.story());
        live(stage, 40).await;
        assert_replaced(stage, "tis-prod-green", GREEN);
        assert_eq!(count(stage, "RunInstances"), 2, "{}", stage.cloud.story());
        nothing_broken(stage);
    });
}

#[test]
fn an_older_journal_launches_no_second_one() {
    at_night(35, POLICY, declared(), async |stage| {
        let copy = stage.state().join("copy");
        stage.backstage().back_up(&copy).unwrap();
        strike_green(stage);
        live(stage, 4).await;
        assert_eq!(alive_in_place_of(stage, GREEN), 1, "{}", stage.cloud.story());
        stage.backstage().restore_before_next_life(&copy);
        live(stage, 90).await;
        assert_eq!(count(stage, "RunInstances"), 1, "{}", stage.cloud.story());
        assert_eq!(alive_in_place_of(stage, GREEN), 1, "{}", stage.cloud.story());
        let green = stage.cloud.world(|world| world.instance(GREEN).unwrap().state);
        assert_eq!(green, State::Running);
    });
}

#[test]
fn an_old_one_that_loses_its_tags_before_it_is_marked_is_let_go_and_holds_nothing_up() {
    at_night(36, POLICY, declared(), async |stage| {
        strike_green(stage);
        stage.cloud.inject(When::action("CreateTags"), Fault::throttled());
        live(stage, 20).await;
        let state = stage.cloud.world(|world| world.instance(GREEN).unwrap().state);
        assert_eq!(state, State::Stopped, "{}", stage.cloud.story());
        stage.cloud.world(|world| world.retag(GREEN, "Name", None));
        let asked = count(stage, "CreateTags");
        stage.cloud.end_faults();
        live(stage, 60).await;
        assert_eq!(count(stage, "CreateTags"), asked, "{}", stage.cloud.story());
        assert_eq!(
            running(stage, "tis-prod-green").len(),
            1,
            "{}",
            stage.cloud.story()
        );
        // One at a time is allowed: the next one is not held up.
        stage
            .cloud
            .world(|world| world.terminate_by_aws(BLUE, "Server.InternalError"));
        live(stage, 40).await;
        assert_replaced(stage, "tis-prod-blue", BLUE);
        nothing_broken(stage);
    });
}
