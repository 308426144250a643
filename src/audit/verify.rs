//! Whether the log is what was signed: looks at each row, at the chain, at what the
//! head says, and at each checkpoint; and names what is wrong.

use super::event::Entry;
use super::merkle::{Hash, Tree, leaf_hash};
use super::note::{Checkpoint, PublicKey};
use crate::ids::AuditEventId;
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::fmt;

/// Faults that are told; more are counted.
const MAX_FAULTS: usize = 100;

/// A row as it is stored: the entry, and what repeats it for searching.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its place.
    pub seq: i64,
    /// Its id; `None` when it has not the form of one.
    pub id: Option<AuditEventId>,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what kind of object.
    pub object_kind: String,
    /// To which.
    pub object_name: String,
    /// How it ended.
    pub outcome: String,
    /// The octets that are hashed.
    pub body: String,
    /// Their hash.
    pub hash: Vec<u8>,
}

impl Row {
    /// The row of an entry.
    pub fn of(entry: &Entry) -> Row {
        let sealed = entry.seal();
        let Entry { seq, event, .. } = entry;
        Row {
            seq: i64::try_from(*seq).unwrap_or(i64::MAX),
            id: Some(event.id),
            at: event.at,
            actor: event.actor.clone(),
            action: event.action.clone(),
            object_kind: event.object.kind.clone(),
            object_name: event.object.name.clone(),
            outcome: event.outcome.code().to_owned(),
            body: sealed.body,
            hash: sealed.hash.to_vec(),
        }
    }
}

/// What is wrong with the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A row is not as it was written.
    Altered {
        /// Which.
        seq: i64,
        /// What tells so.
        what: String,
    },
    /// A row holds the event of another place.
    Moved {
        /// Where it is.
        seq: i64,
        /// Where it was written.
        from: u64,
    },
    /// Rows are not there.
    Removed {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A row does not follow the one before: it, or the one before, was replaced.
    Unlinked {
        /// Which.
        seq: i64,
    },
    /// Rows are there beyond the last.
    Inserted {
        /// The first of them.
        from: u64,
    },
    /// Rows at the end are not there.
    Truncated {
        /// How many are.
        size: u64,
        /// How many there were.
        was: u64,
        /// Who says so.
        says: String,
    },
    /// All rows fit one another, but not what was signed.
    Rewritten {
        /// The first row that may be another.
        from: u64,
        /// The last.
        to: u64,
        /// What signed it.
        says: String,
    },
    /// A checkpoint cannot be believed.
    Checkpoint {
        /// Which.
        which: String,
        /// Why.
        why: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Altered { seq, what } => write!(f, "event {seq} was altered: {what}"),
            Fault::Moved { seq, from } => write!(f, "event {from} was moved to the place of event {seq}"),
            Fault::Removed { from, to } if from == to => write!(f, "event {from} was removed"),
            Fault::Removed { from, to } => write!(f, "events {from} to {to} were removed"),
            Fault::Unlinked { seq } => {
                write!(f, "event {seq} does not follow event {}: one of them was replaced", seq - 1)
            }
            Fault::Inserted { from } => write!(f, "event {from} and those after it were inserted at the end"),
            Fault::Truncated { size, was, says } => {
                write!(f, "events {size} to {} at the end were removed: {says}", was.saturating_sub(1))
            }
            Fault::Rewritten { from, to, says } if from == to => write!(f, "event {from} was rewritten: {says}"),
            Fault::Rewritten { from, to, says } => {
                write!(f, "events {from} to {to}, one or more of them, were rewritten: {says}")
            }
            Fault::Checkpoint { which, why } => write!(f, "{which}: {why}"),
        }
    }
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Rows that were looked at.
    pub events: u64,
    /// Checkpoints that fit.
    pub checkpoints: u64,
    /// Up to which size a checkpoint confirms the rows.
    pub confirmed: u64,
    /// What is wrong, as far as it is told.
    pub faults: Vec<Fault>,
    /// Faults in all.
    pub count: u64,
}

impl Report {
    fn add(&mut self, fault: Fault) {
        self.count += 1;
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }
}

/// Looks at rows in their order.
#[derive(Debug)]
pub struct Verifier {
    tree: Tree,
    /// The hash that the next row must hold; `None` after a fault, which was told.
    prev: Option<Hash>,
    /// The place of the next row.
    next: u64,
    /// Checkpoints that were signed, by size, with what they are called.
    checkpoints: Vec<(Checkpoint, String)>,
    /// How many of them have been passed.
    passed: usize,
    report: Report,
}

impl Verifier {
    /// Verifies against these checkpoints, whose signatures are good, each with what
    /// it is called.
    pub fn new(mut checkpoints: Vec<(Checkpoint, String)>) -> Verifier {
        checkpoints.sort_by_key(|(checkpoint, _)| checkpoint.size);
        let (tree, report) = (Tree::default(), Report::default());
        let mut verifier = Verifier { tree, prev: Some([0; 32]), next: 0, checkpoints, passed: 0, report };
        verifier.pass();
        verifier
    }

    /// Verifies against signed notes, each with what it is called: those that one of these keys has signed, once
    /// each; the others are doubted.
    pub fn against(mut notes: Vec<(String, String)>, known: &[PublicKey]) -> Verifier {
        let mut told = BTreeSet::new();
        notes.retain(|(_, note)| told.insert(note.clone()));
        let (mut good, mut doubts) = (Vec::new(), Vec::new());
        for (which, note) in notes {
            match Checkpoint::open(&note, known) {
                Ok(checkpoint) => good.push((checkpoint, which)),
                Err(e) => doubts
                    .push((which, format!("{e}\n  -> if another server has signed it, give its public key by --key"))),
            }
        }
        let mut verifier = Verifier::new(good);
        doubts.into_iter().for_each(|(which, why)| verifier.doubt(which, why));
        verifier
    }

    /// A checkpoint cannot be believed.
    pub fn doubt(&mut self, which: String, why: String) {
        self.report.add(Fault::Checkpoint { which, why });
    }

    /// The next row.
    pub fn row(&mut self, row: &Row) {
        self.report.events += 1;
        let seq = u64::try_from(row.seq).unwrap_or(0);
        if seq > self.next {
            self.report.add(Fault::Removed { from: self.next, to: seq - 1 });
            self.prev = None;
        }
        self.next = seq.saturating_add(1);
        let hash = leaf_hash(row.body.as_bytes());
        let fault = self.judge(row, &hash);
        // After a fault the next row is judged by itself: what it follows is not known.
        self.prev = fault.is_none().then_some(hash);
        if let Some(fault) = fault {
            self.report.add(fault);
        }
        self.tree.push(hash);
        self.pass();
    }

    fn judge(&self, row: &Row, hash: &Hash) -> Option<Fault> {
        let altered = |what: &str| Some(Fault::Altered { seq: row.seq, what: what.to_owned() });
        if row.hash != hash {
            return altered("its content does not have its hash");
        }
        let entry = match Entry::parse(&row.body) {
            Ok(entry) => entry,
            Err(e) => return altered(&format!("its content is no event: {e}")),
        };
        if i64::try_from(entry.seq) != Ok(row.seq) {
            return Some(Fault::Moved { seq: row.seq, from: entry.seq });
        }
        if self.prev.is_some_and(|prev| prev != entry.prev) {
            return Some(Fault::Unlinked { seq: row.seq });
        }
        let told = Row::of(&entry);
        for (column, same) in [
            ("id", told.id == row.id),
            ("at_us", told.at == row.at),
            ("actor", told.actor == row.actor),
            ("action", told.action == row.action),
            ("object_kind", told.object_kind == row.object_kind),
            ("object_name", told.object_name == row.object_name),
            ("outcome", told.outcome == row.outcome),
        ] {
            if !same {
                return altered(&format!("its column {column} is not what its content says"));
            }
        }
        None
    }

    /// Compares with checkpoints of the size that is reached.
    fn pass(&mut self) {
        while let Some((checkpoint, says)) = self.checkpoints.get(self.passed) {
            if checkpoint.size > self.tree.size() {
                return;
            }
            self.passed += 1;
            // What was named already would only be told again.
            if self.report.count > 0 {
                continue;
            }
            if checkpoint.root == self.tree.root() {
                self.report.checkpoints += 1;
                self.report.confirmed = checkpoint.size;
            } else {
                let (from, to) = (self.report.confirmed, checkpoint.size.saturating_sub(1));
                let says = format!("{says} has another root");
                self.report.add(Fault::Rewritten { from, to, says });
            }
        }
    }

    /// No more rows. The head says how many there are, and the hash of the last.
    pub fn finish(mut self, size: u64, last: &[u8]) -> Report {
        let rows = self.next;
        if size > rows {
            let says = format!("the log's head counts {size}");
            self.report.add(Fault::Truncated { size: rows, was: size, says });
        } else if size < rows {
            self.report.add(Fault::Inserted { from: size });
        } else if self.prev.is_some_and(|prev| prev != last) {
            let says = "the log's head has another hash".to_owned();
            let last = size.saturating_sub(1);
            self.report.add(Fault::Rewritten { from: last, to: last, says });
        }
        let known = size.max(rows);
        let beyond = self.checkpoints.iter().filter(|(c, _)| c.size > known).max_by_key(|(c, _)| c.size);
        if let Some((checkpoint, says)) = beyond {
            let says = format!("{says} counts {}", checkpoint.size);
            let fault = Fault::Truncated { size: rows, was: checkpoint.size, says };
            self.report.add(fault);
        }
        self.report
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{By, Event};
    use super::super::note::SigningKey;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn log(count: u64) -> Vec<Row> {
        let mut prev = [0; 32];
        let row = |seq: u64| {
            let at = Timestamp::from_unix_secs(1_764_000_000 + seq as i64);
            let by = if seq.is_multiple_of(2) { By::cli("elena") } else { By::server() };
            let event = Event::new(&by, "identity.update", "identity", &format!("agent a{seq}"), at);
            let event = event.states(json!({ "status": "active" }), json!({ "n": seq })).because("a test");
            let entry = Entry { seq, prev, event };
            prev = entry.seal().hash;
            Row::of(&entry)
        };
        (0..count).map(row).collect()
    }

    fn checkpoint(rows: &[Row], size: usize) -> (Checkpoint, String) {
        let mut tree = Tree::default();
        rows[..size].iter().for_each(|row| tree.push(leaf_hash(row.body.as_bytes())));
        let key = SigningKey::new(&[1; 32]).unwrap();
        let note = key.sign(size as u64, tree.root());
        (Checkpoint::open(&note, &[key.public().clone()]).unwrap(), format!("the checkpoint of {size}"))
    }

    fn verified(rows: &[Row], head: (u64, &[u8]), checkpoints: Vec<(Checkpoint, String)>) -> Report {
        let mut verifier = Verifier::new(checkpoints);
        rows.iter().for_each(|row| verifier.row(row));
        verifier.finish(head.0, head.1)
    }

    /// What anybody can do who may write to the database: all hashes are made anew.
    fn rechained(rows: &mut [Row]) {
        let mut prev = [0; 32];
        for (seq, row) in rows.iter_mut().enumerate() {
            let mut entry = Entry::parse(&row.body).unwrap();
            (entry.seq, entry.prev) = (seq as u64, prev);
            *row = Row::of(&entry);
            prev = row.hash.clone().try_into().unwrap();
        }
    }

    #[test]
    fn a_log_as_it_was_written_is_intact() {
        for count in [0, 1, 2, 7, 20] {
            let rows = log(count);
            let zeros = vec![0; 32];
            let last = rows.last().map_or(&zeros, |row| &row.hash);
            let all = (0..=count as usize).map(|size| checkpoint(&rows, size)).collect();
            let report = verified(&rows, (count, last), all);
            assert_eq!((report.events, report.checkpoints, report.confirmed), (count, count + 1, count));
            assert_eq!(report.faults, []);
        }
    }

    #[test]
    fn what_was_removed_inserted_or_moved_is_named() {
        let longer = log(13);
        let rows = longer[..12].to_vec();
        let head = (12, rows[11].hash.clone());
        let named = |some: &[Row]| {
            let report = verified(some, (head.0, &head.1), vec![checkpoint(&rows, 5), checkpoint(&rows, 12)]);
            report.faults.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let mut fewer = rows.clone();
        fewer.drain(3..5);
        assert_eq!(named(&fewer), ["events 3 to 4 were removed"]);
        let mut swapped = rows.clone();
        swapped.swap(3, 4);
        (swapped[3].seq, swapped[4].seq) = (3, 4);
        assert_eq!(
            named(&swapped),
            ["event 4 was moved to the place of event 3", "event 3 was moved to the place of event 4"]
        );
        let truncated = named(&rows[..9]);
        assert!(truncated[0].starts_with("events 9 to 11 at the end were removed"), "{truncated:?}");
        assert_eq!(named(&longer), ["event 12 and those after it were inserted at the end"]);
        // Into the middle, with the numbers after it put right, and the head as well.
        let mut more = rows.clone();
        more.insert(4, Row { id: Some(AuditEventId::new(Timestamp::default())), ..rows[4].clone() });
        for (seq, row) in more.iter_mut().enumerate() {
            row.seq = seq as i64;
        }
        assert!(named(&more)[0].starts_with("event 4 was altered"), "{:?}", named(&more));
        rechained(&mut more);
        let report = verified(&more, (13, &more[12].hash), vec![checkpoint(&rows, 3), checkpoint(&rows, 12)]);
        let says = "events 3 to 11, one or more of them, were rewritten: the checkpoint of 12 has another root";
        assert_eq!(report.faults[0].to_string(), says);
    }

    #[test]
    fn a_truncated_log_with_a_head_to_match_is_told_by_a_checkpoint() {
        let rows = log(12);
        let report = verified(&rows[..8], (8, &rows[7].hash), vec![checkpoint(&rows, 6), checkpoint(&rows, 12)]);
        assert_eq!(
            report.faults,
            [Fault::Truncated { size: 8, was: 12, says: "the checkpoint of 12 counts 12".to_owned() }]
        );
        assert_eq!(report.confirmed, 6);
        // All of it gone, even.
        let report = verified(&[], (0, &[0; 32]), vec![checkpoint(&rows, 6)]);
        assert!(matches!(report.faults[..], [Fault::Truncated { size: 0, was: 6, .. }]), "{report:?}");
    }

    proptest! {
        /// Any one change to any one field of any row is found, and the row is named.
        #[test]
        fn any_alteration_of_any_field_of_any_row_is_found_and_named(
            at in 0_usize..10, field in 0_usize..10, place in any::<prop::sample::Index>(), octet in 1_u8..127,
            forged in any::<bool>(),
        ) {
            let mut rows = log(10);
            let head = (10, rows[9].hash.clone());
            let good = vec![checkpoint(&rows, 4), checkpoint(&rows, 10)];
            let row = &mut rows[at];
            let other = |text: &mut String| {
                // All of it is ASCII here.
                let mut octets = std::mem::take(text).into_bytes();
                let place = place.index(octets.len());
                octets[place] = if octets[place] == octet { b'~' } else { octet };
                *text = String::from_utf8(octets).unwrap();
            };
            let before = row.clone();
            match field {
                0 => row.seq += 1_000,
                1 => row.id = Some(AuditEventId::new(Timestamp::default())),
                2 => row.at = Timestamp::from_micros(row.at.as_micros() + i64::from(octet)),
                3 => other(&mut row.actor),
                4 => other(&mut row.action),
                5 => other(&mut row.object_kind),
                6 => other(&mut row.object_name),
                7 => other(&mut row.outcome),
                8 => {
                    other(&mut row.body);
                    if forged {
                        row.hash = leaf_hash(row.body.as_bytes()).to_vec();
                    }
                }
                _ => row.hash[place.index(32)] ^= octet,
            }
            prop_assume!(*row != before);
            rows.sort_by_key(|row| row.seq);
            let report = verified(&rows, (head.0, &head.1), good);
            prop_assert!(report.count > 0);
            let told: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
            let named = format!("event {at} ");
            // A content that was forged with its hash is told by the row that follows it,
            // or by the head.
            let next = format!("event {} does not follow event {at}:", at + 1);
            prop_assert!(
                told.iter().any(|told| told.contains(&named) || told.starts_with(&next)),
                "event {}, field {}: {:?}", at, field, told
            );
        }
    }
}
