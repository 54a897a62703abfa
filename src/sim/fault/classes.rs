//! The table of all fault classes, and what each does.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::Fault;
use super::class::{Class, Kind, Strike, Strikes};
use crate::sim::Stage;
use crate::sim::crash::CrashPhase;
use crate::sim::world::api::ApiError;
use crate::sim::world::{App, Check, Instance, Pace, Staleness, State, World, later};

const EVENT_INTAKE: Option<&str> = Some("event intake");

const fn class(name: &'static str, kind: Kind, strikes: Strikes, how: fn(&Stage, Strike)) -> Class {
    Class {
        name,
        kind,
        strikes,
        awaits: None,
        how,
    }
}

const fn awaiting(
    name: &'static str,
    kind: Kind,
    strikes: Strikes,
    awaits: Option<&'static str>,
    how: fn(&Stage, Strike),
) -> Class {
    Class {
        name,
        kind,
        strikes,
        awaits,
        how,
    }
}

use Kind::{Crash, Environment, Events, Read, Write};
use Strikes::{Action, AnyCall, Listings, Reads, SecondPages, Writes};

pub(super) const ALL: &[Class] = &[
    class("dies before it sends", Crash, AnyCall, |s, b| {
        crash(s, b, CrashPhase::BeforeSend)
    }),
    class(
        "dies with the effect done and the answer lost",
        Crash,
        AnyCall,
        |s, b| {
            crash(s, b, CrashPhase::EffectDoneAnswerLost);
        },
    ),
    class(
        "dies with the answer read and its outcome not durable",
        Crash,
        AnyCall,
        |s, b| {
            crash(s, b, CrashPhase::AnswerReadOutcomeNotDurable);
        },
    ),
    class("dies after the outcome is durable", Crash, AnyCall, |s, b| {
        crash(s, b, CrashPhase::After)
    }),
    class("stale read", Read, Reads, |s, b| {
        call(s, &b, Fault::Stale(b.lasts))
    }),
    class("own writes hidden", Read, Writes, own_writes_hidden),
    class("page n fails", Read, SecondPages, |s, b| {
        // A call that is named by its number is one.
        let when = match b.when.names_a_call() {
            true => b.when,
            false => b.when.page(2),
        };
        s.cloud.inject(when, Fault::HtmlError(503));
    }),
    class("empty answer", Read, Listings, |s, b| {
        call(s, &b, Fault::EmptyAnswer)
    }),
    class("truncated answer", Read, Reads, |s, b| {
        call(s, &b, Fault::Truncated)
    }),
    class("existing object absent", Read, AnyCall, hidden),
    class("terminated lingers", Read, AnyCall, terminated_lingers),
    class("terminated vanishes at once", Read, AnyCall, terminated_vanishes),
    class("transitions missed", Read, AnyCall, transitions_missed),
    class("unknown enum member", Read, Reads, unknown_member),
    class("read refused for lack of permission", Read, Reads, |s, b| {
        call(s, &b, Fault::not_authorized("it"));
    }),
    class("slow answer", Read, Reads, |s, b| {
        call(s, &b, Fault::Slow(b.lasts.min(Duration::from_secs(8))))
    }),
    class("throttled", Write, AnyCall, |s, b| {
        call(s, &b, Fault::throttled())
    }),
    class(
        "no capacity, as a 5xx",
        Write,
        Action("StartInstances"),
        |s, b| call(s, &b, Fault::no_capacity()),
    ),
    class("applied and never answered", Write, Writes, |s, b| {
        call(s, &b, Fault::AppliedNoAnswer)
    }),
    class("applied and the connection reset", Write, Writes, |s, b| {
        call(s, &b, Fault::AppliedReset)
    }),
    class("applied and answered with a 5xx", Write, Writes, |s, b| {
        let error = ApiError::with_status(500, "InternalError", "An internal error has occurred");
        call(s, &b, Fault::RefuseAfterEffect(error));
    }),
    class("answered with 200, nothing done", Write, Writes, |s, b| {
        call(s, &b, Fault::NothingDone)
    }),
    class("partial success", Write, Writes, |s, b| {
        call(s, &b, Fault::Partial)
    }),
    class(
        "batch poisoned by one id",
        Write,
        Action("StartInstances"),
        poisoned,
    ),
    class("not authorised", Write, Writes, |s, b| {
        call(s, &b, Fault::not_authorized("it"))
    }),
    class(
        "no capacity for a launch, as a 5xx",
        Write,
        Action("RunInstances"),
        |s, b| call(s, &b, Fault::no_capacity()),
    ),
    class("token mismatch", Write, Action("RunInstances"), |s, b| {
        call(
            s,
            &b,
            Fault::error(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent",
            ),
        );
    }),
    class(
        "token's instance terminated",
        Write,
        Action("RunInstances"),
        |s, b| {
            call(
                s,
                &b,
                Fault::error(
                    "IdempotentInstanceTerminated",
                    "The instance of this token is terminated",
                ),
            );
        },
    ),
    class("dies while being repaired", Kind::World, AnyCall, |s, b| {
        world(s, b, |w, id| w.terminate_by_aws(id, "Server.InternalError"))
    }),
    class("start does not hold", Kind::World, AnyCall, |s, b| {
        world(s, b, |w, id| w.fail_start(id, 1))
    }),
    class("boots forever", Kind::World, AnyCall, |s, b| {
        app(s, b, App::BootsForever)
    }),
    class("answers with errors", Kind::World, AnyCall, |s, b| {
        app(s, b, App::Broken)
    }),
    class(
        "flaps just outside the success window",
        Kind::World,
        AnyCall,
        |s, b| {
            app(s, b, App::ShutsDownAfter(Duration::from_secs(34 * 60)));
        },
    ),
    class(
        "shuts itself down after each boot",
        Kind::World,
        AnyCall,
        |s, b| {
            app(s, b, App::ShutsDownAfter(Duration::from_secs(20)));
        },
    ),
    class("a person starts it", Kind::World, AnyCall, |s, b| {
        world(s, b, |w, id| w.start_by_person(id))
    }),
    class("a person stops it", Kind::World, AnyCall, |s, b| {
        world(s, b, |w, id| w.stop_by_person(id))
    }),
    class("a person terminates it", Kind::World, AnyCall, |s, b| {
        world(s, b, |w, id| w.terminate(id))
    }),
    class("a person retags it", Kind::World, AnyCall, retagged),
    class("a person deregisters it", Kind::World, AnyCall, deregistered),
    class("slots swap", Kind::World, AnyCall, slots_swap),
    class("zone outage", Kind::World, AnyCall, zone_outage),
    class("mass stop", Kind::World, AnyCall, mass_stop),
    class(
        "image gone, then back",
        Kind::World,
        AnyCall,
        image_gone_then_back,
    ),
    class("policy reloaded", Kind::World, AnyCall, policy_reloaded),
    awaiting("event lost", Events, AnyCall, EVENT_INTAKE, no_events_yet),
    awaiting("event late", Events, AnyCall, EVENT_INTAKE, no_events_yet),
    awaiting("event duplicated", Events, AnyCall, EVENT_INTAKE, no_events_yet),
    awaiting("events reordered", Events, AnyCall, EVENT_INTAKE, no_events_yet),
    awaiting("event malformed", Events, AnyCall, EVENT_INTAKE, no_events_yet),
    awaiting(
        "event stale after a restart",
        Events,
        AnyCall,
        EVENT_INTAKE,
        no_events_yet,
    ),
    class(
        "wall clock set wrong by two hours",
        Environment,
        AnyCall,
        wall_clock_wrong,
    ),
    class("suspended for ten minutes", Environment, AnyCall, suspended),
    class("process frozen", Environment, AnyCall, |s, b| {
        let (backstage, lasts) = (s.backstage().clone(), b.lasts);
        s.cloud.on_call(b.when, move |_| backstage.freeze(lasts));
    }),
    class("loop stalled", Environment, AnyCall, |s, b| {
        let (backstage, lasts, noticed) = (s.backstage().clone(), b.lasts, s.stall_noticed_after());
        s.cloud.on_call(b.when, move |_| backstage.stall(lasts, noticed));
    }),
    class("journal disk full", Environment, AnyCall, disk_full),
    class(
        "journal older than the world",
        Environment,
        AnyCall,
        journal_restored,
    ),
    class("intent of an unknown kind", Environment, AnyCall, unknown_intent),
    class("credentials expire", Environment, AnyCall, |s, b| {
        call(s, &b, Fault::expired_credentials())
    }),
    class("name does not resolve", Environment, AnyCall, |s, b| {
        call(s, &b, Fault::DnsFailure)
    }),
    class("connection refused", Environment, AnyCall, |s, b| {
        call(s, &b, Fault::ConnectionRefused)
    }),
    class("connection never comes about", Environment, AnyCall, |s, b| {
        call(s, &b, Fault::ConnectHang)
    }),
    class("accepts and never answers", Environment, AnyCall, |s, b| {
        call(s, &b, Fault::Hang)
    }),
    class(
        "page of a proxy instead of an answer",
        Environment,
        AnyCall,
        |s, b| call(s, &b, Fault::HtmlError(502)),
    ),
];

fn call(stage: &Stage, blow: &Strike, fault: Fault) {
    stage.cloud.inject(blow.when.clone(), fault);
}

fn crash(stage: &Stage, blow: Strike, phase: CrashPhase) {
    stage.cloud.crash(blow.when, phase);
}

/// Something happens to the target.
fn world(stage: &Stage, blow: Strike, act: fn(&mut World, &str) -> bool) {
    let Strike { when, target, .. } = blow;
    stage.cloud.on_call(when, move |world| {
        act(world, &target);
    });
}

/// The application misbehaves for a while.
fn app(stage: &Stage, blow: Strike, app: App) {
    let Strike {
        when, target, lasts, ..
    } = blow;
    let same = target.clone();
    let misbehave = move |world: &mut World| {
        world.set_app(&target, app);
    };
    let mend = move |world: &mut World| {
        world.set_app(&same, App::Serving);
    };
    stage.cloud.on_call_then(when, misbehave, lasts, mend);
}

fn own_writes_hidden(stage: &Stage, blow: Strike) {
    let Strike { when, lasts, .. } = blow;
    let hide = move |world: &mut World| {
        let usual = world.staleness();
        world.set_staleness(Staleness {
            own_writes_hidden: lasts,
            ..usual
        });
    };
    let show = |world: &mut World| {
        let usual = world.staleness();
        world.set_staleness(Staleness {
            own_writes_hidden: Duration::ZERO,
            ..usual
        });
    };
    stage.cloud.on_call_then(when, hide, lasts, show);
}

fn hidden(stage: &Stage, blow: Strike) {
    let Strike {
        when, target, lasts, ..
    } = blow;
    stage.cloud.on_call(when, move |world| {
        let until = later(world.now(), lasts);
        world.hide_instance(&target, until);
    });
}

/// Terminated ones linger for an hour of themselves.
fn terminated_lingers(stage: &Stage, blow: Strike) {
    world(stage, blow, |w, id| w.terminate(id));
}

/// Terminated, and out of every answer as soon as it is.
fn terminated_vanishes(stage: &Stage, blow: Strike) {
    let Strike { when, target, .. } = blow;
    let same = target.clone();
    let terminate = move |world: &mut World| {
        world.terminate(&target);
    };
    // As long as a termination takes at the most.
    let at_the_latest = Duration::from_secs(61);
    stage
        .cloud
        .on_call_then(when, terminate, at_the_latest, move |world| {
            world.vanish(&same);
        });
}

/// It stops, or starts by a person's hand, so fast that no look sees it on the way.
fn transitions_missed(stage: &Stage, blow: Strike) {
    let Strike {
        when, target, lasts, ..
    } = blow;
    let act = move |world: &mut World| {
        let at_once = Pace {
            boot_s: 0..=0,
            stop_s: 0..=0,
            ..Pace::default()
        };
        world.set_pace(at_once);
        if !world.stop_by_aws(&target, "Server.InternalError") {
            world.start_by_person(&target);
        }
    };
    stage.cloud.on_call_then(when, act, lasts, |world| {
        world.set_pace(Pace::default());
    });
}

fn unknown_member(stage: &Stage, blow: Strike) {
    const MEMBERS: [&str; 8] = [
        "running",
        "stopped",
        "healthy",
        "unused",
        "passed",
        "ok",
        "stopping",
        "available",
    ];
    let at = usize::try_from(blow.variant % MEMBERS.len() as u64).unwrap_or(0);
    let member = MEMBERS.get(at).copied().unwrap_or("running");
    call(stage, &blow, Fault::UnknownMember(member.to_owned()));
}

fn poisoned(stage: &Stage, blow: Strike) {
    let Strike {
        when, target, lasts, ..
    } = blow;
    let same = target.clone();
    let poison = move |world: &mut World| {
        world.poison(&target, Some("IncorrectInstanceState"));
    };
    stage.cloud.on_call_then(when, poison, lasts, move |world| {
        world.poison(&same, None);
    });
}

/// Out of its slot for a while.
fn retagged(stage: &Stage, blow: Strike) {
    let Strike {
        when, target, lasts, ..
    } = blow;
    let same = target.clone();
    let name = stage.cloud.world(|world| {
        world
            .instance(&target)
            .and_then(|i| i.tag("Name").map(str::to_owned))
    });
    let retag = move |world: &mut World| {
        world.retag(&target, "Name", Some("not-any-more"));
    };
    stage.cloud.on_call_then(when, retag, lasts, move |world| {
        world.retag(&same, "Name", name.as_deref());
    });
}

/// Out of every target group that it is in.
fn deregistered(stage: &Stage, blow: Strike) {
    let Strike { when, target, .. } = blow;
    stage.cloud.on_call(when, move |world| {
        let groups = world.target_groups();
        let mine: Vec<(String, u16)> = groups
            .flat_map(|group| {
                group
                    .targets
                    .keys()
                    .map(|(id, port)| (group.arn.clone(), id, *port))
            })
            .filter(|(_, id, _)| **id == target)
            .map(|(arn, _, port)| (arn, port))
            .collect();
        for (arn, port) in mine {
            world.deregister_target(&arn, &target, Some(port));
        }
    });
}

/// The target and another instance of its account and region change their `Name` tags.
fn slots_swap(stage: &Stage, blow: Strike) {
    let Strike { when, target, .. } = blow;
    stage.cloud.on_call(when, move |world| {
        let name_of = |i: &Instance| i.tag("Name").map(str::to_owned);
        let Some(one) = world.instance(&target).cloned() else {
            return;
        };
        let is_other = |i: &&Arc<Instance>| i.scope == one.scope && name_of(i) != name_of(&one);
        let other = world.instances().find(is_other).cloned();
        let Some(other) = other else { return };
        let (first, second) = (name_of(&one), name_of(&other));
        world.retag(&one.id, "Name", second.as_deref());
        world.retag(&other.id, "Name", first.as_deref());
    });
}

/// The target's zone: what runs there fails its checks and answers nothing, and nothing can be started.
fn zone_outage(stage: &Stage, blow: Strike) {
    let Strike {
        when, target, lasts, ..
    } = blow;
    let zone = stage
        .cloud
        .world(|world| world.instance(&target).map(|i| i.zone.clone()));
    let Some(zone) = zone else { return };
    let same = zone.clone();
    let fail = move |world: &mut World| {
        world.capacity(&zone, None, false);
        for id in ids_in(world, &zone) {
            world.impair(&id, Check::System);
            world.set_app(&id, App::BootsForever);
        }
    };
    let mend = move |world: &mut World| {
        world.capacity(&same, None, true);
        for id in ids_in(world, &same) {
            world.mend(&id, Check::System);
            world.set_app(&id, App::Serving);
        }
    };
    stage.cloud.on_call_then(when, fail, lasts, mend);
}

fn ids_in(world: &World, zone: &str) -> Vec<String> {
    world
        .instances()
        .filter(|i| i.zone == zone)
        .map(|i| i.id.clone())
        .collect()
}

fn mass_stop(stage: &Stage, blow: Strike) {
    stage.cloud.on_call(blow.when, |world| {
        let running = world.instances().filter(|i| i.state == State::Running);
        let ids: Vec<String> = running.map(|i| i.id.clone()).collect();
        for id in ids {
            world.stop_by_aws(&id, "Server.InternalError");
        }
    });
}

fn image_gone_then_back(stage: &Stage, blow: Strike) {
    let Strike {
        when, target, lasts, ..
    } = blow;
    let image = stage
        .cloud
        .world(|world| world.instance(&target).map(|i| i.image.clone()));
    let Some(image) = image else { return };
    let same = image.clone();
    let gone = move |world: &mut World| {
        world.deregister_image(&image);
    };
    stage.cloud.on_call_then(when, gone, lasts, move |world| {
        world.restore_image(&same);
    });
}

/// Every policy file gets another text, and so another version, that means the same.
fn policy_reloaded(stage: &Stage, blow: Strike) {
    let backstage = stage.backstage().clone();
    let mut edits = 0_u32;
    stage.cloud.on_call(blow.when, move |_| {
        edits += 1;
        for file in backstage.policy_files().unwrap_or_default() {
            if let Ok(text) = backstage.read_policy(&file) {
                // A folder that cannot be written leaves the policies as they are.
                let _ = backstage.write_policy(&file, &format!("{text}# edit {edits}\n"));
            }
        }
    });
}

fn no_events_yet(_: &Stage, _: Strike) {}

/// Ahead or behind, by the variant, until it is set right.
fn wall_clock_wrong(stage: &Stage, blow: Strike) {
    let Strike {
        when, lasts, variant, ..
    } = blow;
    let hours = if variant % 2 == 0 { 2 } else { -2 };
    let (machine, same) = (
        stage.backstage().machine().clone(),
        stage.backstage().machine().clone(),
    );
    let wrong = move |_: &mut World| machine.set_wall_forward(SignedDuration::from_hours(hours));
    let right = move |_: &mut World| same.set_wall_forward(SignedDuration::from_hours(-hours));
    stage.cloud.on_call_then(when, wrong, lasts, right);
}

fn suspended(stage: &Stage, blow: Strike) {
    let machine = stage.backstage().machine().clone();
    stage
        .cloud
        .on_call(blow.when, move |_| machine.suspend(Duration::from_secs(600)));
}

fn disk_full(stage: &Stage, blow: Strike) {
    let Strike { when, lasts, .. } = blow;
    let (backstage, same) = (stage.backstage().clone(), stage.backstage().clone());
    stage.cloud.on_call_then(
        when,
        move |_| backstage.fill_disk(true),
        lasts,
        move |_| same.fill_disk(false),
    );
}

/// A copy of the journal is taken; later the process dies, and the next one finds the copy.
fn journal_restored(stage: &Stage, blow: Strike) {
    let Strike {
        when, lasts, variant, ..
    } = blow;
    let (backstage, same) = (stage.backstage().clone(), stage.backstage().clone());
    let mut copies = 0_u32;
    let folder = stage.state().clone();
    let copy = move |_: &mut World| {
        copies += 1;
        let copy = folder.join(format!("backup-{variant}-{copies}.db"));
        if backstage.back_up(&copy).is_ok() {
            backstage.restore_before_next_life(&copy);
        }
    };
    stage.cloud.on_call_then(when, copy, lasts, move |_| same.kill());
}

/// The process dies, and the next one finds in the journal what a newer version has begun.
fn unknown_intent(stage: &Stage, blow: Strike) {
    let Strike { when, target, .. } = blow;
    let (backstage, account) = (stage.backstage().clone(), stage.account.clone());
    let service = stage.cloud.owner_of(&target).unwrap_or_default();
    // It is held until a person has looked: nobody knows what was begun.
    stage.cloud.excuse(&target);
    stage.cloud.on_call(when, move |_| {
        backstage.plant_unknown_intent(&service, &account, &target);
        backstage.kill();
    });
}
