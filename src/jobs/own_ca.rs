//! The server's own CA keeps what depends on it alive: its lists, and the server's own certificates.

use crate::audit::event::{By, Event};
use crate::config::authority::AuthorityDir;
use crate::config::live::Inventory;
use crate::store::Store;
use crate::transport::clock::Clock;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked: certificates of a day are renewed in time.
const LOOK: Duration = Duration::from_secs(3600);

/// What was made anew: what it is, its file, and what the audit log says of it.
type Renewed = (&'static str, PathBuf, Value);

/// Renews what the CA of `[pki] dir` has issued to the server, and signs its lists anew, before they end. What is written is
/// noticed as any change of a file is.
pub async fn renew(inventory: Inventory, store: Store, clock: Arc<Clock>) {
    let mut interval = tokio::time::interval(LOOK);
    loop {
        interval.tick().await;
        let (present, now) = (inventory.present(), clock.now());
        let Some(dir) = present.config.pki.dir.as_ref() else { continue };
        let dir = AuthorityDir::at(&present.source.resolve(dir.get_ref()));
        let path = |file: &toml::Spanned<PathBuf>| present.source.resolve(file.get_ref());
        let mut own = vec![(path(&present.config.tls.certificate), path(&present.config.tls.key))];
        if let (Some(certificate), Some(key)) = (&present.config.http.certificate, &present.config.http.key) {
            own.push((path(certificate), path(key)));
        }
        let work = move || {
            let mut done: Vec<Renewed> = Vec::new();
            match dir.renew_crls(now) {
                Ok(files) => done.extend(files.into_iter().map(|file| ("crl", file, Value::Null))),
                Err(error) => {
                    tracing::warn!(%error, "the CA's revocation lists are not renewed: `cordon ca crl` signs them")
                }
            }
            own.dedup();
            for (certificate, key) in own {
                let file = certificate.display();
                match dir.renew(&certificate, &key, now) {
                    Ok(None) => {}
                    Ok(Some(end)) => done.push(("certificate", certificate, json!({ "not_after": end }))),
                    Err(error) => tracing::warn!(%file, %error, "a certificate of this server is not renewed"),
                }
            }
            done
        };
        let Ok(done) = tokio::task::spawn_blocking(work).await else { continue };
        let events: Vec<Event> = done
            .iter()
            .map(|(kind, file, says)| {
                tracing::info!(file = %file.display(), "renewed by the server's own CA");
                let event = Event::new(&By::server(), format!("{kind}.renew"), kind, &file.display().to_string(), now);
                event.states(Value::Null, says.clone())
            })
            .collect();
        if !events.is_empty()
            && let Err(error) = store.audit(events).await
        {
            tracing::warn!(%error, "what was renewed is not in the audit log");
        }
    }
}
