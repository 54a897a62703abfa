//! Connections: how many, how long a client may take, and how an answer is broken off.
//!
//! Each client costs one of `CONNECTIONS_MAX` places and nothing else. A place is given back when the client leaves, is too
//! slow to send a request or to take its answer, or sends none for long.

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// Connections at once; more wait to be accepted. Far below the 1,024 files that a process usually may open.
const CONNECTIONS_MAX: usize = 500;

/// From the connection, or a further request's first byte, to the request's last, and for each part of an answer.
pub const TRANSFER: Duration = Duration::from_secs(20);

/// Between two requests. The SDKs keep a connection for 90 s at most: they close it first, so that no request of theirs
/// meets a connection that is being closed.
const IDLE: Duration = Duration::from_secs(120);

/// Accepts connections while there is a place.
pub struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Door {
    pub fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        }
    }
}

impl Listener for Door {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed: there is always a place, or one to come.
        let place = self.places.clone().acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Without it an answer of two writes waits for the client's acknowledgement; the option fails for nobody else's loss.
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            stream,
            line: Line::default(),
            // Whoever connects has something to send.
            patience: Patience::new(TRANSFER),
            stage: Stage::Sending,
            stalled: None,
            _place: place,
        };
        (connection, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// What a handler can do with the connection that its request came by. Clones are the same connection.
#[derive(Clone, Debug, Default)]
pub struct Line(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    /// A request is being answered: nothing is expected of the client.
    busy: AtomicBool,
    /// The next byte written breaks the connection instead.
    broken: AtomicBool,
}

impl Line {
    /// A request has come; until the guard is dropped, its sender is waiting for us.
    pub fn busy(&self) -> Busy {
        self.0.busy.store(true, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// Break the connection where its answer would begin.
    pub fn break_off(&self) {
        self.0.broken.store(true, Ordering::Relaxed);
    }
}

/// While it lives, a request is being answered.
#[derive(Debug)]
pub struct Busy(Line);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.busy.store(false, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Door>> for Line {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().line.clone()
    }
}

/// What the client is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Between requests.
    Idle,
    /// It has begun to send one.
    Sending,
    /// It waits for its answer, or takes it.
    Waiting,
}

/// How long something may still take.
struct Patience(Pin<Box<Sleep>>);

impl Patience {
    fn new(limit: Duration) -> Self {
        Self(Box::pin(tokio::time::sleep(limit)))
    }

    /// Ready with an error once it has taken too long.
    fn poll<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let late = || {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client takes too long",
            ))
        };
        self.0.as_mut().poll(cx).map(|()| late())
    }
}

/// One client's connection.
pub struct Connection {
    stream: TcpStream,
    line: Line,
    /// For the client to send what is expected at this stage.
    patience: Patience,
    stage: Stage,
    /// For the client to take what it was sent; `None` while it does.
    stalled: Option<Patience>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    fn enter(&mut self, stage: Stage) {
        if self.stage != stage {
            self.stage = stage;
            self.patience = Patience::new(if stage == Stage::Idle { IDLE } else { TRANSFER });
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.line.0.busy.load(Ordering::Relaxed) {
            this.enter(Stage::Waiting);
        } else if this.stage == Stage::Waiting {
            this.enter(Stage::Idle);
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buffer) {
            Poll::Pending if this.stage == Stage::Waiting => Poll::Pending,
            Poll::Pending => this.patience.poll(cx),
            Poll::Ready(result) => {
                if this.stage == Stage::Idle && buffer.filled().len() > before {
                    this.enter(Stage::Sending);
                }
                Poll::Ready(result)
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.line.0.broken.load(Ordering::Relaxed) {
            // Closed with nothing left to send, the client sees a reset, not an end.
            let _ = this.stream.set_zero_linger();
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        match Pin::new(&mut this.stream).poll_write(cx, bytes) {
            Poll::Pending => {
                let stalled = this.stalled.get_or_insert_with(|| Patience::new(TRANSFER));
                stalled.poll(cx)
            }
            Poll::Ready(result) => {
                this.stalled = None;
                Poll::Ready(result)
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.line.0.broken.load(Ordering::Relaxed) {
            // An orderly end would overtake the reset.
            let _ = self.stream.set_zero_linger();
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
