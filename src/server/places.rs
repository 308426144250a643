//! Places for connections to the API: so many in all, and so many from one network.

use crate::operators::throttle::Network;
use axum_server::accept::Accept;
use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Who has a place.
#[derive(Clone, Debug)]
pub(super) struct Places {
    most: usize,
    from_one: usize,
    taken: Arc<Mutex<HashMap<Network, usize>>>,
}

/// A place that is given back when its connection ends.
#[derive(Debug)]
struct Place {
    of: Places,
    network: Network,
}

impl Places {
    /// So many in all, and from one network.
    pub(super) fn new(most: usize, from_one: usize) -> Places {
        Places { most, from_one, taken: Arc::default() }
    }

    /// Takes a place before `acceptor` does anything for a connection.
    pub(super) fn before<A>(self, acceptor: A) -> Seated<A> {
        Seated { places: self, acceptor }
    }

    fn take(&self, network: Network) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(&network).copied().unwrap_or(0);
        if all >= self.most || own >= self.from_one {
            return None;
        }
        taken.insert(network, own + 1);
        Some(Place { of: self.clone(), network })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.network) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.network);
            }
        }
    }
}

/// An acceptor that gives places.
#[derive(Clone, Debug)]
pub(super) struct Seated<A> {
    places: Places,
    acceptor: A,
}

type Accepting<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

impl<A, S> Accept<TcpStream, S> for Seated<A>
where
    A: Accept<TcpStream, S> + Clone + Send + 'static,
    A::Future: Send,
    S: Send + 'static,
{
    type Stream = Held<A::Stream>;
    type Service = A::Service;
    type Future = Accepting<(Self::Stream, Self::Service)>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = stream.peer_addr().map(|peer| (peer, self.places.take(Network::of(peer.ip()))));
        let acceptor = self.acceptor.clone();
        Box::pin(async move {
            let (peer, place) = place?;
            let Some(place) = place else {
                tracing::debug!(%peer, "the API has no place for another connection from there");
                return Err(io::Error::other("no place"));
            };
            let (stream, service) = acceptor.accept(stream, service).await?;
            Ok((Held { stream, _place: place }, service))
        })
    }
}

/// A connection with its place.
#[derive(Debug)]
pub(super) struct Held<S> {
    stream: S,
    _place: Place,
}

impl<S: AsyncRead + Unpin> AsyncRead for Held<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Held<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    #[test]
    fn one_network_does_not_take_all_places_and_each_is_given_back() {
        let network = |text: &str| Network::of(text.parse::<IpAddr>().unwrap());
        let places = Places::new(3, 2);
        let held: Vec<_> = (0..2).map(|n| places.take(network(&format!("2001:db8::{n}"))).unwrap()).collect();
        assert!(places.take(network("2001:db8::ffff")).is_none());
        let other = places.take(network("192.0.2.1")).unwrap();
        assert!(places.take(network("192.0.2.2")).is_none(), "none is left");
        drop(held);
        assert!(places.take(network("2001:db8::1")).is_some());
        drop(other);
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
