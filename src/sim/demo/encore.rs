//! After the story: the world and the controller live on, and whoever likes may disturb the world through a port.

use super::watch::Watch;
use super::{Act, Audience, DemoError};
use crate::env::Clock;
use crate::sim::Cloud;
use crate::sim::port::{Port, serve};
use std::future::pending;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// A scene lasts so long here, whatever the speed: a request is answered between two of them.
const SCENE: Duration = Duration::from_millis(50);

/// Serves the world of the story on `listener` until the audience has had enough.
pub struct Encore {
    pub listener: TcpListener,
    /// How many times as fast as here the audience lets time pass there: for those who ask.
    pub speed: u32,
}

impl Encore {
    pub(super) async fn play(
        self,
        watch: &mut Watch,
        clock: &Clock,
        cloud: &Cloud,
        audience: &mut dyn Audience,
    ) -> Result<(), DemoError> {
        self.listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let port = Arc::new(Port::on(cloud, self.speed));
        let lasts = SCENE * self.speed;
        let watching = async {
            loop {
                let scene = watch.look(Act::Encore, lasts).await?;
                if audience.scene(scene).is_break() {
                    return Ok(());
                }
                clock.sleep(lasts).await;
            }
        };
        tokio::select! {
            biased;
            watched = watching => watched,
            served = serve(listener, port, pending()) => Ok(served?),
        }
    }
}
