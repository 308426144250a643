//! Looks, and reports: at once when something has changed, and at intervals; later, if the server is away.

use super::client::{ClientError, Report, Standing};
use super::config::Settings;
use super::{client, collect, renewal, spool};
use crate::posture::check::{Check, Value};
use crate::random::random;
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

/// A value holds for so many intervals: two reports may be lost.
const INTERVALS: u32 = 3;
/// How long is waited after a failure, doubled each time up to an interval.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How long is waited after a certificate could not be renewed: a third of its life is left.
const RENEWAL_WAIT: Duration = Duration::from_secs(600);

/// What was told last.
struct Agent<'a> {
    settings: &'a Settings,
    clock: &'a Clock,
    standing: Option<Standing>,
    told: Option<BTreeMap<Check, Value>>,
    /// When it reports though nothing has changed.
    due: Timestamp,
    /// When it tries again, and how long it waits after that.
    retry: Option<(Timestamp, Duration)>,
    renewal: Timestamp,
}

/// Runs until it is told to stop.
///
/// # Errors
/// When it cannot begin.
pub async fn run(settings: &Settings, clock: &Clock) -> Result<(), String> {
    let dir = &settings.state_dir;
    std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    renewal::finish(settings)?;
    let mut stop = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let mut agent = Agent {
        settings,
        clock,
        standing: spool::standing(settings),
        told: None,
        due: clock.now(),
        retry: None,
        renewal: clock.now(),
    };
    agent.catch_up().await;
    loop {
        agent.step().await;
        tokio::select! {
            () = sleep(settings.look()) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = stop.recv() => return Ok(()),
        }
    }
}

/// A fifth more or less, so that hosts that were started together do not report together.
fn spread(interval: Duration) -> Duration {
    let [octet] = random::<1>().unwrap_or([128]);
    interval.mul_f64(0.8 + 0.4 * f64::from(octet) / 255.0)
}

impl Agent<'_> {
    /// Tells what could not be told before the agent was started again.
    async fn catch_up(&mut self) {
        if let Some(report) = spool::unsent(self.settings) {
            self.tell(&report).await;
        }
    }

    async fn step(&mut self) {
        let watched = self.standing.as_ref().map(|standing| standing.watched.clone()).unwrap_or_default();
        let now = self.clock.now();
        let checks = collect::collect(&self.settings.host(), &watched, now);
        let changed = self.told.as_ref() != Some(&checks);
        let waiting = self.retry.is_some_and(|(at, _)| now < at);
        if (changed || now >= self.due) && !waiting {
            let ttl_secs = (self.settings.interval() * INTERVALS).as_secs();
            let known = watched;
            self.tell(&Report { at: now, ttl_secs, checks }).await;
            // What is looked for was not known, or has changed: it is told at once.
            if self.standing.as_ref().is_some_and(|standing| standing.watched != known) {
                self.told = None;
            }
        }
        self.renew().await;
    }

    async fn tell(&mut self, report: &Report) {
        match client::report(self.settings, report).await {
            Ok(standing) => {
                let before = self.standing.as_ref().map(|standing| standing.status.as_str());
                if before != Some(&standing.status) {
                    tracing::info!(
                        identity = standing.name,
                        status = standing.status,
                        "the server says how this host stands"
                    );
                    for finding in &standing.findings {
                        tracing::info!(check = finding.check, severity = finding.severity, "{}", finding.remedy);
                    }
                }
                spool::keep_standing(self.settings, &standing);
                self.standing = Some(standing);
                self.done(report);
            }
            Err(ClientError::Refused(why)) => {
                tracing::warn!(why, "the server refuses this report; the next one may be better");
                self.done(report);
            }
            Err(error) => {
                let wait = self.retry.map_or(FIRST_WAIT, |(_, wait)| wait);
                tracing::warn!(%error, "nothing could be reported; trying again in {} s", wait.as_secs());
                spool::keep(self.settings, report);
                let most = self.settings.interval().max(FIRST_WAIT);
                self.retry = Some((self.clock.now() + spread(wait), (wait * 2).min(most)));
            }
        }
    }

    fn done(&mut self, report: &Report) {
        spool::clear(self.settings);
        self.told = Some(report.checks.clone());
        self.due = self.clock.now() + spread(self.settings.interval());
        self.retry = None;
    }

    async fn renew(&mut self) {
        let now = self.clock.now();
        if !self.settings.renew || now < self.renewal {
            return;
        }
        self.renewal = now + self.settings.interval();
        match renewal::due(self.settings, now) {
            Ok(false) => return,
            Ok(true) => {}
            Err(error) => return tracing::warn!(error, "the certificate cannot be read"),
        }
        match renewal::renew(self.settings).await {
            Ok(until) => tracing::info!(%until, "the certificate was renewed"),
            Err(error) => {
                tracing::warn!(error, "the certificate could not be renewed");
                self.renewal = now + RENEWAL_WAIT;
            }
        }
    }
}
