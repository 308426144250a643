//! The store on its own: bad files, idempotence, restarts of a NAS.

use cordon::ids::{DecisionId, IdentityId};
use cordon::inventory::identity::{Identity, IdentityKind};
use cordon::session::accounting::{AccountingRecord, AccountingStatus};
use cordon::store::Store;
use cordon::store::inventory::{ApplyError, Writes};
use cordon::store::read::SessionFilter;
use cordon::store::writer::{Record, Writer};
use cordon::telemetry::Metrics;
use cordon::time::Timestamp;
use std::net::IpAddr;
use std::sync::Arc;

const T0: i64 = 1_764_000_000;

fn record(status: AccountingStatus, session: &str, secs: i64) -> AccountingRecord {
    let at = Timestamp::from_unix_secs(T0 + secs);
    let status_octets = status.number().to_be_bytes();
    let time_octets = u32::try_from(at.unix_secs()).unwrap().to_be_bytes();
    let attributes =
        [(40, &status_octets[..]), (44, session.as_bytes()), (55, &time_octets), (31, b"02-00-5E-00-00-01")];
    let source = IpAddr::from([192, 0, 2, 1]);
    AccountingRecord::from_attributes(attributes.into_iter(), "sw1", source, at, |mac| Some(mac.to_owned())).unwrap()
}

async fn store_all(writer: &Writer, records: Vec<AccountingRecord>) {
    let (done, mut results) = tokio::sync::mpsc::unbounded_channel();
    let count = records.len();
    for record in records {
        let done = done.clone();
        let told = Box::new(move |result| done.send(result).unwrap());
        writer.submit(Record::Accounting(Box::new(record)), told).unwrap();
    }
    for _ in 0..count {
        results.recv().await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_counts_once_and_a_restart_ends_sessions() {
    use AccountingStatus::{Interim, On, Start, Stop};
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("db")).await.unwrap();
    let writer = Writer::start(store.clone(), Arc::new(Metrics::new()));
    store_all(&writer, vec![record(Start, "a", 0), record(Start, "a", 0), record(Start, "b", 1)]).await;
    store_all(&writer, vec![record(Start, "a", 0), record(Interim, "a", 60)]).await;
    assert_eq!(store.accounting_count().await.unwrap(), 3);

    store_all(&writer, vec![record(Stop, "b", 30), record(On, "", 100)]).await;
    let page = store.sessions(&SessionFilter::default(), None, 10).await.unwrap();
    let causes: Vec<_> = page.items.iter().map(|s| (s.key.acct_session_id.as_str(), s.terminate_cause())).collect();
    assert_eq!(causes, [("b", None), ("a", Some("NAS-Reboot".to_owned()))], "{page:#?}");

    // The NAS counts from the beginning again.
    store_all(&writer, vec![record(Start, "a", 200), record(Interim, "a", 260)]).await;
    let page = store.sessions(&SessionFilter::default(), None, 10).await.unwrap();
    assert_eq!(page.items.len(), 3);
    assert_eq!((page.items[0].reuse, page.items[0].stopped_at()), (1, None));
    writer.drain().await;
    assert_eq!(writer.depth(), 0);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    std::fs::write(&path, "this is no database, but it is long enough to be looked at as one ".repeat(20)).unwrap();
    let error = Store::open(&path).await.unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("db")).await.unwrap();
    let id = DecisionId::new(Timestamp::from_unix_secs(T0));
    assert!(store.decision(id).await.unwrap().is_none());
}

#[tokio::test]
async fn of_two_changes_planned_at_once_one_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("db")).await.unwrap();
    let at = Timestamp::from_unix_secs(1_700_000_000);
    let writes = |name: &str| Writes {
        identities: vec![Arc::new(Identity::new(IdentityId::new(at), IdentityKind::User, name))],
        ..Writes::default()
    };
    let planned = store.generation().await.unwrap();
    store.apply(planned, &writes("alice"), "one", at).await.unwrap();
    let late = store.apply(planned, &writes("bob"), "two", at).await;
    assert!(matches!(late, Err(ApplyError::Overtaken)), "{late:?}");
    let inventory = store.inventory().await.unwrap();
    let names: Vec<_> = inventory.identities.iter().map(|i| i.name.to_string()).collect();
    assert_eq!((names, inventory.generation), (vec!["alice".to_owned()], planned + 1));
}
