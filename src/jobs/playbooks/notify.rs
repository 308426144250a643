//! Emails about runs: to the owner of whom they are about, or to those whom a playbook names.
//!
//! They are handed to a task, so that no mail server keeps anybody from being contained. Those that wait are lost when the
//! server is stopped; the run, its case and webhooks are not.

use super::Playbooks;
use crate::inventory::credential::Credential;
use crate::inventory::identity::IdentityKind;
use crate::playbooks::run::Run;
use crate::signals::signal::Subject;
use crate::transport::mail::Mail;
use std::time::Duration;
use tokio::sync::mpsc;

/// Emails that wait, of about a KiB each.
const QUEUE: usize = 1_000;
/// How often one is tried.
const TRIES: u32 = 4;
/// How long after the first failure it is tried again; twice as long after each other.
const PAUSE: Duration = Duration::from_secs(5);
/// The attribute of an identity that holds its email address.
const EMAIL: &str = "email";

#[derive(Debug)]
struct Letter {
    to: String,
    subject: String,
    text: String,
}

/// Sends emails. Cloning it shares the one who does.
#[derive(Clone, Debug)]
pub struct Outbox(Option<mpsc::Sender<Letter>>);

impl Outbox {
    /// One that hands in at this server; without one, nothing is sent.
    pub fn start(mail: Option<Mail>) -> Outbox {
        Outbox(mail.map(|mail| {
            let (sender, letters) = mpsc::channel(QUEUE);
            tokio::spawn(deliver(mail, letters));
            sender
        }))
    }

    fn put(&self, to: &str, subject: String, text: String) -> Result<(), String> {
        let sender = self.0.as_ref().ok_or("no [smtp] is configured, by which emails are sent")?;
        sender
            .try_send(Letter { to: to.to_owned(), subject, text })
            .map_err(|_| format!("{QUEUE} emails wait already: the mail server is slow or away"))
    }
}

async fn deliver(mail: Mail, mut letters: mpsc::Receiver<Letter>) {
    while let Some(Letter { to, subject, text }) = letters.recv().await {
        let mut pause = PAUSE;
        for attempt in 1..=TRIES {
            match mail.send(&to, &subject, &text).await {
                Ok(()) => {
                    tracing::info!(to, subject, "an email was sent");
                    break;
                }
                Err(error) if attempt == TRIES => tracing::warn!(to, subject, "an email was given up: {error}"),
                Err(error) => {
                    tracing::warn!(to, subject, "an email was not sent yet: {error}");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
            }
        }
    }
}

impl Playbooks {
    /// Tells people of a run. To whom, in words.
    ///
    /// # Errors
    /// In words, why nobody is told.
    pub(super) fn notify(&self, run: &Run, named: &[String]) -> Result<String, String> {
        let to = match named {
            [] => vec![self.owner_of(run)?],
            named => named.to_vec(),
        };
        let subject = format!("{}: {} ({})", run.playbook, run.who, run.state.code());
        let mut text = format!(
            "The playbook {} runs against {}.\n\nWhy: {}\nSince: {}\nRun: {}\n\nWhat was done:\n",
            run.playbook, run.who, run.cause.what, run.began, run.id
        );
        for done in &run.steps {
            text.push_str(&format!("- {}: {}\n", done.step.code(), done.outcome.told()));
        }
        for address in &to {
            self.0.outbox.put(address, subject.clone(), text.clone())?;
        }
        Ok(format!("an email is on its way to {}", to.join(", ")))
    }

    /// The email address of the user who answers for somebody; of a user, their own.
    fn owner_of(&self, run: &Run) -> Result<String, String> {
        let snapshot = self.0.engine.snapshot();
        let identity = match run.subject {
            Subject::Identity(id) => snapshot.identities.by_id(id).ok_or("the identity is no more")?,
            Subject::Mac(_) => return Err("nobody answers for a MAC address: name the addresses in `to`".into()),
        };
        let user = match identity.kind {
            IdentityKind::User => identity,
            _ => {
                let owner = identity.owner.as_deref().ok_or("it has no owner: name the addresses in `to`")?;
                let user = snapshot.identities.by_name(IdentityKind::User, owner);
                user.ok_or_else(|| format!("no user is called {owner:?}"))?
            }
        };
        let told = user.attributes.iter().find(|(name, _)| &**name == EMAIL).map(|(_, value)| value.to_string());
        let shown = user.credentials.iter().find_map(|credential| match credential {
            Credential::SanEmail(address) => Some(address.to_string()),
            _ => None,
        });
        let address = told.or(shown).filter(|address| Mail::is_address(address));
        address.ok_or_else(|| format!("{} has no attribute {EMAIL:?} with an email address", user.name))
    }
}
