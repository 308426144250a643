//! The webhooks in memory: what each transaction asks, and what wakes those who deliver.

use crate::ids::WebhookId;
use crate::webhooks::Webhook;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{Mutex, MutexGuard, Notify, watch};

/// A webhook and its queue. A change of the webhook is another one with the same queue.
#[derive(Debug)]
pub struct Hook {
    /// Itself.
    pub webhook: Webhook,
    queue: Arc<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Deliveries that wait.
    waiting: AtomicU64,
    /// Whether the last message found no room.
    full: AtomicBool,
    due: Notify,
}

impl Hook {
    /// Deliveries that wait.
    pub fn waiting(&self) -> u64 {
        self.queue.waiting.load(Ordering::Relaxed)
    }

    /// Returns when something was added to the queue.
    pub async fn added(&self) {
        self.queue.due.notified().await;
    }

    /// So many were added, and as many found no room.
    pub(super) fn add(&self, count: u64, dropped: u64) {
        self.queue.waiting.fetch_add(count, Ordering::Relaxed);
        if self.queue.full.swap(dropped > 0, Ordering::Relaxed) != (dropped > 0) && (count > 0 || dropped > 0) {
            let (webhook, waiting) = (&self.webhook.name, self.waiting());
            if dropped > 0 {
                tracing::warn!(webhook, waiting, "its receiver is too slow or away: messages are dropped and counted");
            } else {
                tracing::info!(webhook, waiting, "there is room in its queue again");
            }
        }
        if count > 0 {
            self.queue.due.notify_one();
        }
    }

    /// So many do not wait any more.
    pub(super) fn settled(&self, count: u64) {
        let less = |waiting: u64| Some(waiting.saturating_sub(count));
        // It always gives something.
        let _ = self.queue.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

/// All webhooks.
#[derive(Debug)]
pub struct Hooks {
    all: ArcSwap<Vec<Arc<Hook>>>,
    changed: watch::Sender<u64>,
    turn: Mutex<()>,
    /// Messages that were dropped since somebody asked last.
    dropped: AtomicU64,
}

impl Default for Hooks {
    fn default() -> Self {
        let (changed, _) = watch::channel(0);
        Self { all: ArcSwap::default(), changed, turn: Mutex::default(), dropped: AtomicU64::new(0) }
    }
}

impl Hooks {
    /// All of them.
    pub fn all(&self) -> Arc<Vec<Arc<Hook>>> {
        self.all.load_full()
    }

    /// One of them.
    pub fn get(&self, id: WebhookId) -> Option<Arc<Hook>> {
        self.all.load().iter().find(|hook| hook.webhook.id == id).cloned()
    }

    /// Tells whenever they are others than before.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Messages that were dropped since this was asked last.
    pub fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }

    pub(super) fn dropped(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Who takes them from the database into memory does so one after the other.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// That these are all, with how many deliveries wait in the database.
    pub(super) fn replace(&self, all: Vec<(Webhook, u64)>) {
        let hook = |(webhook, waiting): (Webhook, u64)| {
            let queue = self.get(webhook.id).map_or_else(
                || Arc::new(Queue { waiting: AtomicU64::new(waiting), ..Queue::default() }),
                |hook| hook.queue.clone(),
            );
            Arc::new(Hook { webhook, queue })
        };
        self.all.store(Arc::new(all.into_iter().map(hook).collect()));
        self.changed.send_modify(|count| *count += 1);
    }
}
