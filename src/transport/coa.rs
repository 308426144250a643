//! Requests to NASes over UDP (RFC 5176): one socket for each address family, and
//! one task that knows all requests that are on their way.

use super::clock::Clock;
use crate::coa::client::{Due, Exchanges, Mismatched, Received, Refused};
use crate::coa::exchange::{Answer, Ask, Jitter, NoAnswer, Timing};
use crate::enforcement::coa::Change;
use crate::ids::ChangeOrderId;
use crate::random::random;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};

/// The longest datagram that is looked at, in octets.
const BUFFER_LEN: usize = 4096;
/// Requests that wait to be begun. Whoever asks waits beyond it.
const QUEUE: usize = 256;
/// Late answers that wait to be recorded. Beyond it they are only counted.
const LATE: usize = 256;
/// How long the task sleeps when nothing is due.
const IDLE: Duration = Duration::from_secs(60);
/// How long nothing is received after the system refused to: an error that stays
/// must not keep a processor busy.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Names a request, for who asks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ticket {
    /// The change.
    pub order: ChangeOrderId,
    /// What is asked for.
    pub change: Change,
    /// Tells two requests for the same from each other.
    pub number: u64,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// The NAS was silent to all retransmissions.
    #[error("no answer")]
    Silent,
    /// Only answers whose authenticator does not fit came: its secret is another.
    #[error("answers whose secret does not fit")]
    WrongSecret,
    /// The request could not be made now; later it may be.
    #[error("{0}")]
    Refused(Refused),
    /// There is no socket of this address family.
    #[error("this host cannot send to {0}")]
    Unreachable(SocketAddr),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// An answer that came after its request had been given up.
#[derive(Clone, Copy, Debug)]
pub struct LateAnswer {
    /// Of which request.
    pub ticket: Ticket,
    /// What it says.
    pub answer: Answer,
}

struct Command {
    peer: SocketAddr,
    ask: Ask,
    ticket: Ticket,
    done: oneshot::Sender<Result<Answer, Failure>>,
}

/// Counts datagrams that are no answer.
pub type Ignored = Arc<dyn Fn(NoAnswer) + Send + Sync>;

/// Asks NASes. Cloning it shares the sockets.
#[derive(Clone, Debug)]
pub struct CoaClient {
    commands: mpsc::Sender<Command>,
}

struct Task {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    exchanges: Exchanges<Ticket>,
    waiting: HashMap<Ticket, oneshot::Sender<Result<Answer, Failure>>>,
    clock: Arc<Clock>,
    late: mpsc::Sender<LateAnswer>,
    ignored: Ignored,
}

impl CoaClient {
    /// Binds the sockets, to the addresses of `from` where it names one of their
    /// family: NASes take changes only from addresses that they know. Late answers
    /// come out of the receiver.
    ///
    /// # Errors
    /// When there is no socket at all.
    pub async fn start(
        from: &[IpAddr],
        timing: Timing,
        clock: Arc<Clock>,
        ignored: Ignored,
    ) -> io::Result<(CoaClient, mpsc::Receiver<LateAnswer>)> {
        let of = |v4: bool| from.iter().find(|ip| ip.is_ipv4() == v4 && !ip.is_unspecified()).copied();
        let v4 = UdpSocket::bind((of(true).unwrap_or(Ipv4Addr::UNSPECIFIED.into()), 0)).await;
        let v6 = UdpSocket::bind((of(false).unwrap_or(Ipv6Addr::UNSPECIFIED.into()), 0)).await;
        let (v4, v6) = match (v4, v6) {
            (Err(e), Err(_)) => return Err(e),
            (v4, v6) => (v4.ok(), v6.ok()),
        };
        let (commands, queue) = mpsc::channel(QUEUE);
        let (late, answers) = mpsc::channel(LATE);
        let (exchanges, waiting) = (Exchanges::new(timing), HashMap::new());
        tokio::spawn(Task { v4, v6, exchanges, waiting, clock, late, ignored }.run(queue));
        Ok((CoaClient { commands }, answers))
    }

    /// Asks one NAS, and waits for its answer as long as the retransmissions take.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn request(&self, peer: SocketAddr, ask: Ask, ticket: Ticket) -> Result<Answer, Failure> {
        let (done, answer) = oneshot::channel();
        let command = Command { peer, ask, ticket, done };
        self.commands.send(command).await.map_err(|_| Failure::Stopping)?;
        answer.await.unwrap_or(Err(Failure::Stopping))
    }
}

impl Task {
    async fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        let (mut one, mut other) = (vec![0; BUFFER_LEN], vec![0; BUFFER_LEN]);
        loop {
            let now = self.clock.now();
            let pause = self.exchanges.next().map_or(IDLE, |at| at.since(now));
            tokio::select! {
                command = queue.recv() => match command {
                    Some(command) => self.begin(command).await,
                    None => return,
                },
                got = receive(self.v4.as_ref(), &mut one) => self.received(got, &one).await,
                got = receive(self.v6.as_ref(), &mut other) => self.received(got, &other).await,
                () = tokio::time::sleep(pause) => self.elapsed().await,
            }
        }
    }

    async fn begin(&mut self, command: Command) {
        let Command { peer, ask, ticket, done } = command;
        if self.socket(peer).is_none() {
            let _ = done.send(Err(Failure::Unreachable(peer)));
            return;
        }
        match self.exchanges.begin(peer, &ask, ticket, jitter(), self.clock.now()) {
            Ok(datagram) => {
                self.waiting.insert(ticket, done);
                self.send(peer, &datagram).await;
            }
            // Whoever asked may have gone meanwhile.
            Err(refused) => drop(done.send(Err(Failure::Refused(refused)))),
        }
    }

    async fn received(&mut self, got: io::Result<(usize, SocketAddr)>, buffer: &[u8]) {
        let (length, peer) = match got {
            Ok(got) => got,
            Err(e) => {
                // An ICMP error about an earlier request: it may have been lost on
                // the way or the NAS restarts, and the retransmission tells.
                tracing::debug!(error = %e, "receiving from NASes");
                tokio::time::sleep(BACK_OFF).await;
                return;
            }
        };
        match self.exchanges.receive(peer, buffer.get(..length).unwrap_or_default()) {
            Received::Answered(ticket, answer) => self.finish(ticket, Ok(answer)),
            // Beyond the queue it is only counted.
            Received::Late(ticket, answer) => drop(self.late.try_send(LateAnswer { ticket, answer })),
            Received::Ignored(why) => {
                tracing::debug!(%peer, why = why.code(), "a datagram that is no answer");
                (self.ignored)(why);
            }
        }
    }

    async fn elapsed(&mut self) {
        for due in self.exchanges.elapse(jitter, self.clock.now()) {
            match due {
                Due::Again(peer, datagram) => self.send(peer, &datagram).await,
                Due::GaveUp(ticket, Mismatched(false)) => self.finish(ticket, Err(Failure::Silent)),
                Due::GaveUp(ticket, Mismatched(true)) => self.finish(ticket, Err(Failure::WrongSecret)),
            }
        }
    }

    fn finish(&mut self, ticket: Ticket, result: Result<Answer, Failure>) {
        if let Some(done) = self.waiting.remove(&ticket) {
            // Whoever asked may have gone meanwhile.
            let _ = done.send(result);
        }
    }

    fn socket(&self, peer: SocketAddr) -> Option<&UdpSocket> {
        if peer.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }

    async fn send(&self, peer: SocketAddr, datagram: &[u8]) {
        if let Some(socket) = self.socket(peer)
            && let Err(e) = socket.send_to(datagram, peer).await
        {
            // What is lost is sent again.
            tracing::debug!(error = %e, %peer, "sending to a NAS");
        }
    }
}

async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await,
        None => std::future::pending().await,
    }
}

/// Without random numbers retransmissions go together, which is no harm.
fn jitter() -> Jitter {
    random().map_or(Jitter::default(), Jitter::of)
}
