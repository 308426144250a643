//! Asks transmitters for events (RFC 8936), each in a task of its own.

use super::receive::{Receiver, Untaken, client_of};
use crate::shared_signals::transmitter::{Poll, Transmitter};
use crate::transport::https::{self, FetchError};
use crate::webhooks::schedule::rest_after;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often it is looked who is to be asked.
const LOOK: Duration = Duration::from_secs(1);
/// Events of one answer: as many as an answer of a MiB holds.
const AT_ONCE: usize = 50;
/// How long a transmitter may keep a question open until there is something.
const PATIENCE: Duration = Duration::from_secs(120);
/// The shortest time between two questions: a transmitter that answers at once that there is nothing is not asked all the
/// time.
const LEAST: Duration = Duration::from_secs(1);

/// The shortest time for each event: one that is asked tells no more than one that pushes may, 50 in a second.
const EACH: Duration = Duration::from_millis(20);

/// What a transmitter answers (RFC 8936, section 2.4).
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    sets: BTreeMap<String, String>,
    #[serde(default, rename = "moreAvailable")]
    more: bool,
}

/// What it is told of those before (section 2.2).
#[derive(Debug, Default, Serialize)]
struct Acks {
    ack: Vec<String>,
    #[serde(rename = "setErrs")]
    errors: BTreeMap<String, Value>,
}

/// Asks all who are to be asked, until the server ends.
pub async fn run(receiver: Arc<Receiver>) {
    let mut lanes: HashMap<String, (Arc<Transmitter>, JoinHandle<()>)> = HashMap::new();
    let mut interval = tokio::time::interval(LOOK);
    loop {
        interval.tick().await;
        let all = receiver.transmitters();
        lanes.retain(|_, (of, lane)| {
            let stays = all.iter().any(|one| one == of) && !lane.is_finished();
            if !stays {
                lane.abort();
            }
            stays
        });
        for transmitter in all.iter() {
            let Some(poll) = &transmitter.poll else { continue };
            if !lanes.contains_key(&transmitter.name) {
                let lane = tokio::spawn(lane(receiver.clone(), transmitter.clone(), poll.clone()));
                lanes.insert(transmitter.name.clone(), (transmitter.clone(), lane));
            }
        }
    }
}

/// Asks one of them.
async fn lane(receiver: Arc<Receiver>, transmitter: Arc<Transmitter>, poll: Poll) {
    let name = transmitter.name.as_str();
    let client = match client_of(&transmitter) {
        Ok(client) => client,
        Err(error) => return receiver.failed(name, error.to_string()),
    };
    let (mut acks, mut failures) = (Acks::default(), 0);
    loop {
        let began = tokio::time::Instant::now();
        let pause = match ask(&client, &poll, &acks).await {
            Ok(answer) => {
                if std::mem::take(&mut failures) > 0 {
                    tracing::info!(transmitter = name, "it answers again");
                }
                acks = take(&receiver, &transmitter, &answer).await;
                let pending = !acks.ack.is_empty() || !acks.errors.is_empty();
                // Those that could not be taken come again, after a while.
                let stuck = acks.ack.len() + acks.errors.len() < answer.sets.len().min(AT_ONCE);
                let at_once = (pending || answer.more) && !stuck;
                let came = u32::try_from(answer.sets.len().min(AT_ONCE)).unwrap_or_default();
                let least = if at_once { EACH * came } else { LEAST };
                least.saturating_sub(began.elapsed())
            }
            Err(error) => {
                failures += 1;
                if failures == 1 {
                    tracing::warn!(transmitter = name, %error, "it cannot be asked for events");
                }
                receiver.failed(name, error.to_string());
                rest_after(failures)
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Asks once. What was taken from the answer before is told with the question; then it is not waited for more.
async fn ask(client: &reqwest::Client, poll: &Poll, acks: &Acks) -> Result<Answer, FetchError> {
    let waits = acks.ack.is_empty() && acks.errors.is_empty();
    let question = json!({
        "maxEvents": AT_ONCE, "returnImmediately": !waits, "ack": acks.ack, "setErrs": acks.errors,
    });
    let token = String::from_utf8_lossy(poll.token.expose()).into_owned();
    let request = client.post(&poll.endpoint).timeout(PATIENCE).bearer_auth(token).json(&question);
    https::json(request).await
}

/// Takes in what came. What cannot be taken at the moment is neither acknowledged nor refused.
async fn take(receiver: &Receiver, transmitter: &Arc<Transmitter>, answer: &Answer) -> Acks {
    let mut acks = Acks::default();
    // One that gives more than was asked for gives the others again.
    for (jti, token) in answer.sets.iter().take(AT_ONCE) {
        match receiver.take(transmitter, token).await {
            Ok(_) => acks.ack.push(jti.clone()),
            Err(Untaken::Refused(refused)) => {
                let error = json!({ "err": refused.code.code(), "description": refused.description });
                acks.errors.insert(jti.clone(), error);
            }
            Err(Untaken::Later(_)) => {}
        }
    }
    acks
}
