//! What keeps a processor busy for long, a few at a time: plans, drafts of a policy, decisions asked again. Who finds too
//! many waiting is told to come back.

use super::problem::Problem;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// At a time: logins and lists have the other processors, and on small machines the time between.
const AT_ONCE: usize = 2;
/// That wait. Each may hold a body of many mebibytes.
const WAITING: usize = 16;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// After which it may be tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Who is at work, and who waits.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    places: Arc<Semaphore>,
    busy: Arc<Semaphore>,
    patience: Duration,
}

/// That it is somebody's turn, until this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _place: OwnedSemaphorePermit,
    _busy: OwnedSemaphorePermit,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns::new(AT_ONCE, WAITING, PATIENCE)
    }
}

impl Turns {
    fn new(at_once: usize, waiting: usize, patience: Duration) -> Turns {
        let (places, busy) = (Semaphore::new(at_once + waiting), Semaphore::new(at_once));
        Turns { places: Arc::new(places), busy: Arc::new(busy), patience }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// When too many wait, or it takes too long.
    pub(super) async fn wait(&self) -> Result<Turn, Problem> {
        let full = || Problem::too_many("too many plans and drafts are being worked on; try again later", AGAIN);
        let place = self.places.clone().try_acquire_owned().map_err(|_| full())?;
        let busy = tokio::time::timeout(self.patience, self.busy.clone().acquire_owned()).await;
        let busy = busy.map_err(|_| full())?.map_err(|e| Problem::internal(&e))?;
        Ok(Turn { _place: place, _busy: busy })
    }

    /// Does this when it is its turn, on a thread of its own. It keeps its turn until it is done, even if nobody waits
    /// for the answer any more.
    ///
    /// # Errors
    /// When too many wait, or it takes too long.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let turn = self.wait().await?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(|e| Problem::internal(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{StatusCode, header};
    use axum::response::IntoResponse;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn a_few_work_some_wait_and_the_others_come_back() {
        let turns = Turns::new(1, 1, Duration::from_millis(50));
        let first = turns.wait().await.unwrap();
        let waiting = tokio::spawn({
            let turns = turns.clone();
            async move { turns.run(|| 7).await }
        });
        while turns.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = turns.wait().await.unwrap_err().into_response();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()[header::RETRY_AFTER], "5");
        // Who has waited for too long is told the same; whoever is free goes on.
        assert!(waiting.await.unwrap().is_err());
        drop(first);
        assert_eq!(turns.run(|| 7).await.unwrap(), 7);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn never_more_than_so_many_work_at_once() {
        let turns = Turns::new(2, 30, Duration::from_secs(30));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (turns, now, most) = (turns.clone(), now.clone(), most.clone());
            all.spawn(async move {
                let work = move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(5));
                    now.fetch_sub(1, Ordering::SeqCst);
                };
                turns.run(work).await.unwrap();
            });
        }
        all.join_all().await;
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }
}
