//! Changes to sessions: the queue of what is to be done, and what came of it.

use super::db::{Arg, Kind, Row, Sql, Tx};
use super::read::{MAX_PAGE, Page, page};
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event};
use crate::coa::life::{Ending, Life, Order, WAITING, Waiting};
use crate::coa::wave::{ASKING, Aborted, Counts, HELD, Wave};
use crate::ids::{ChangeOrderId, DecisionId, SessionId, WaveId};
use crate::shared_signals::happening::{Happening, What};
use crate::time::Timestamp;
use serde_json::json;
use std::collections::{HashMap, HashSet};

const COLUMNS: &str =
    "change_order (id, session_id, nas_name, wave_id, decision_id, state, pending, bulk, due_us, body)";
const KINDS: &[Kind] = {
    use Kind::{Blob, Int, Text};
    &[Blob, Blob, Text, Blob, Blob, Text, Int, Int, Int, Text]
};
/// What of a change becomes another as it goes on; only while it is to be tried, so
/// that what was stopped stays so.
const UPDATE: &str =
    "UPDATE change_order SET state = ?, pending = ?, due_us = ?, body = ? WHERE id = ? AND pending = 1";
/// How the triggers of changes begin that a transmitter of Shared Signals has asked for.
pub const BY_TRANSMITTER: &str = "operator ssf:";
/// Changes of one transaction: a wave is written in pieces, between which others
/// write.
const PIECE: usize = 500;

/// Which changes. What is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct ChangeFilter {
    /// To this session.
    pub session: Option<SessionId>,
    /// Of this wave.
    pub wave: Option<WaveId>,
    /// To the session that this decision had let in.
    pub decision: Option<DecisionId>,
    /// At this NAS, by name.
    pub nas: Option<String>,
    /// `waiting`, or how they ended.
    pub state: Option<&'static str>,
}

/// What comes of a step with a wave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaveStep<T> {
    /// It was made.
    Made(T),
    /// The wave stands where there is no such step: the name of that state.
    Not(&'static str),
    /// There is no such wave.
    Missing,
}

/// What stopping a wave came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopped {
    /// Changes that will not be made.
    pub stopped: u64,
    /// Those whose NAS was being asked: what comes of them is what it answers.
    pub asking: u64,
}

fn life_of(row: &Row) -> Result<Life, StoreError> {
    let unreadable = |e: serde_json::Error| StoreError::Unreadable { table: "change_order", what: e.to_string() };
    serde_json::from_str(row.text("body")?).map_err(unreadable)
}

fn wave_of(row: &Row) -> Result<Wave, StoreError> {
    let unreadable = |e: serde_json::Error| StoreError::Unreadable { table: "change_wave", what: e.to_string() };
    serde_json::from_str(row.text("body")?).map_err(unreadable)
}

fn body<T: serde::Serialize>(table: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Unreadable { table, what: e.to_string() })
}

fn values(life: &Life, bulk: bool, out: &mut Vec<Arg>) -> Result<(), StoreError> {
    let order = life.order();
    out.extend([
        order.id.as_bytes().into(),
        order.session.as_bytes().into(),
        order.nas_name.as_str().into(),
        Arg::Blob(order.wave.map(|wave| wave.as_bytes().to_vec())),
        Arg::Blob(order.decision.map(|decision| decision.as_bytes().to_vec())),
        state(life).into(),
        matches!(life, Life::Waiting(_)).into(),
        bulk.into(),
        due(life).into(),
        body("change_order", life)?.into(),
    ]);
    Ok(())
}

/// What is stored as its state: one whose NAS is asked is told apart.
fn state(life: &Life) -> &'static str {
    match life {
        Life::Waiting(Waiting { asks: Some(_), .. }) => ASKING,
        life => life.code(),
    }
}

/// When it is to be tried, or when that was over.
fn due(life: &Life) -> Timestamp {
    match life {
        Life::Waiting(waiting) => waiting.not_before,
        Life::Over(over) => over.at,
    }
}

fn ids<'a>(all: impl Iterator<Item = &'a [u8; 16]>) -> Vec<Arg> {
    all.map(Into::into).collect()
}

impl Store {
    /// Takes up changes, and with the first of them their wave. A change that is
    /// still to be tried makes way for a newer one to the same session; one that
    /// wants the same stays, and the newer one is left out, unless the older one waits
    /// for its turn in a wave and the newer need not. Returns how many are to
    /// be made now that were not before.
    ///
    /// # Errors
    /// When the database cannot be written; then some of them may have been taken up.
    pub async fn take_up_changes(
        &self,
        wave: Option<&Wave>,
        all: Vec<Life>,
        bulk: bool,
        by: &By,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let (mut wave, alone) = (wave, wave.is_none());
        let mut added = 0;
        for piece in all.chunks(PIECE) {
            let mut tx = self.db.begin().await?;
            let mut audited = Vec::new();
            if let Some(wave) = wave.take() {
                let sql = Sql::new("INSERT INTO change_wave (id, body) VALUES (?, ?)");
                tx.execute(sql.bind(wave.id.as_bytes()).bind(body("change_wave", wave)?)).await?;
                audited.push(ordered(wave, by, now));
            }
            let sessions = ids(piece.iter().map(|life| life.order().session.as_bytes()));
            let sql = Sql::new("SELECT body FROM change_order WHERE pending = 1 AND session_id IN (");
            let rows = tx.fetch(sql.rows(&[Kind::Blob], sessions).then(")")).await?;
            let mut open = HashMap::new();
            for row in &rows {
                if let Life::Waiting(waiting) = life_of(row)? {
                    open.insert(waiting.order.session, waiting);
                }
            }
            let (mut superseded, mut new) = (Vec::new(), Vec::new());
            for life in piece {
                match open.remove(&life.order().session) {
                    Some(old) if old.order.target == life.order().target && (bulk || !old.is_behind()) => continue,
                    Some(old) => superseded.push(Life::Over(old.end(Ending::Superseded, now))),
                    None => {}
                }
                values(life, bulk, &mut new)?;
                added += 1;
                if alone {
                    audited.push(asked(life, by, now));
                }
            }
            write(&mut tx, &superseded).await?;
            tx.insert(COLUMNS, KINDS, new, "").await?;
            audit::append(&mut tx, audited).await?;
            tx.commit().await?;
        }
        Ok(added)
    }

    /// Writes how far changes have come. What was stopped or superseded while its NAS
    /// was asked gets the attempts, and ends as the NAS answered; without an answer it
    /// stays stopped.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn save_changes(&self, all: &[Life]) -> Result<(), StoreError> {
        for piece in all.chunks(PIECE) {
            let mut tx = self.db.begin().await?;
            let saved = write(&mut tx, piece).await?;
            let mut ended: Vec<Happening> =
                piece.iter().filter(|life| saved.contains(&life.order().id)).filter_map(ended).collect();
            for life in piece.iter().filter(|life| !saved.contains(&life.order().id)) {
                let sql = Sql::new("SELECT body FROM change_order WHERE id = ?").bind(life.order().id.as_bytes());
                let Some(row) = tx.fetch_one(sql).await? else { continue };
                let mut stopped = life_of(&row)?;
                stopped.order_mut().attempts.clone_from(&life.order().attempts);
                if let Life::Over(over) = life
                    && over.is_answered()
                {
                    stopped = life.clone();
                    ended.extend(self::ended(life));
                }
                rewrite(&mut tx, &stopped).await?;
            }
            let told = self.tell(&mut tx, &ended).await?;
            tx.commit().await?;
            self.ring(told);
        }
        Ok(())
    }

    /// The NASes of these changes are about to be asked: from now on they are not
    /// stopped with their wave. Returns those that still are to be tried.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn begin_asking(&self, all: &[ChangeOrderId]) -> Result<HashSet<ChangeOrderId>, StoreError> {
        let mut begun = HashSet::new();
        if all.is_empty() {
            return Ok(begun);
        }
        // In the order in which a wave is stopped, so that neither waits for the other.
        let mut all = all.to_vec();
        all.sort_unstable();
        let mut tx = self.db.begin().await?;
        for id in &all {
            let sql = Sql::new("UPDATE change_order SET state = ? WHERE id = ? AND pending = 1");
            if tx.execute(sql.bind(ASKING).bind(id.as_bytes())).await? > 0 {
                begun.insert(*id);
            }
        }
        tx.commit().await?;
        Ok(begun)
    }

    /// Notes what a NAS is being asked for, for who looks at the change meanwhile.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note_asking(&self, waiting: Waiting) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        write(&mut tx, &[Life::Waiting(waiting)]).await?;
        tx.commit().await
    }

    /// No NAS is being asked: the server has just begun.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_asking(&self) -> Result<(), StoreError> {
        let sql = Sql::new("UPDATE change_order SET state = ? WHERE pending = 1 AND state = ?");
        self.db.execute(sql.bind(WAITING).bind(ASKING)).await.map(drop)
    }

    /// Whether somebody stopped this wave.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_stopped(&self, wave: WaveId) -> Result<bool, StoreError> {
        let sql = Sql::new("SELECT body FROM change_wave WHERE id = ?").bind(wave.as_bytes());
        let row = self.db.fetch_one(sql).await?;
        Ok(row.as_ref().map(wave_of).transpose()?.is_some_and(|wave| wave.aborted.is_some()))
    }

    /// Writes a record anew, wherever it stands: something came late.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn amend_change(&self, life: &Life) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        rewrite(&mut tx, life).await?;
        tx.commit().await
    }

    /// Changes that are to be tried now, the oldest first; none to NASes that are
    /// `busy`, and none of `skip`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn due_changes(
        &self,
        bulk: bool,
        busy: &[String],
        skip: &HashSet<ChangeOrderId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Waiting>, StoreError> {
        let sql = Sql::new("SELECT id, body FROM change_order WHERE pending = 1 AND bulk = ? AND due_us <= ?");
        let mut sql = sql.bind(bulk).bind(now);
        for nas in busy {
            sql = sql.then(" AND nas_name <> ?").bind(nas);
        }
        let rows = sql.then(" ORDER BY due_us, id LIMIT ?").bind((limit + skip.len()) as u64);
        let (mut due, mut unreadable) = (Vec::new(), Vec::new());
        for row in self.db.fetch(rows).await? {
            let id = ChangeOrderId::from_bytes(row.id("change_order", "id")?);
            if skip.contains(&id) {
                continue;
            }
            match life_of(&row) {
                Ok(Life::Waiting(waiting)) => due.push(waiting),
                Ok(Life::Over(_)) => {}
                Err(error) => {
                    tracing::error!(%id, %error, "a change to a session is given up: its row cannot be read");
                    unreadable.push(id);
                }
            }
        }
        // What cannot be read would be read for ever, before all that can be.
        for id in unreadable {
            let sql = Sql::new("UPDATE change_order SET pending = 0 WHERE id = ?");
            self.db.execute(sql.bind(id.as_bytes())).await?;
        }
        due.truncate(limit);
        Ok(due)
    }

    /// How many changes are to be tried.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn pending_changes(&self) -> Result<u64, StoreError> {
        let sql = Sql::new("SELECT count(*) AS n FROM change_order WHERE pending = 1");
        self.db.number(sql).await.map(i64::unsigned_abs)
    }

    /// The latest change to each of these sessions.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn latest_changes(&self, sessions: &[SessionId]) -> Result<HashMap<SessionId, Life>, StoreError> {
        let mut latest = HashMap::new();
        for piece in sessions.chunks(self.db.rows_at_once()) {
            let sql = Sql::new(
                "SELECT body FROM change_order o WHERE id = (SELECT id FROM change_order \
                 WHERE session_id = o.session_id ORDER BY id DESC LIMIT 1) AND session_id IN (",
            );
            let sql = sql.rows(&[Kind::Blob], ids(piece.iter().map(SessionId::as_bytes))).then(")");
            for row in self.db.fetch(sql).await? {
                let life = life_of(&row)?;
                latest.insert(life.order().session, life);
            }
        }
        Ok(latest)
    }

    /// All changes to these sessions that were ordered at this time or later, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn changes_since(&self, sessions: &[SessionId], since: Timestamp) -> Result<Vec<Life>, StoreError> {
        let mut all = Vec::new();
        for piece in sessions.chunks(self.db.rows_at_once()) {
            let sql = Sql::new("SELECT body FROM change_order WHERE session_id IN (");
            let sql = sql.rows(&[Kind::Blob], ids(piece.iter().map(SessionId::as_bytes)));
            let sql = sql.then(") AND id >= ? ORDER BY id").bind(ChangeOrderId::floor(since).as_slice());
            for row in self.db.fetch(sql).await? {
                all.push(life_of(&row)?);
            }
        }
        Ok(all)
    }

    /// Changes that nobody asked for and that are still to be tried, after the one
    /// named `after`, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn automatic_changes(
        &self,
        after: Option<ChangeOrderId>,
        limit: u32,
    ) -> Result<Page<Waiting, ChangeOrderId>, StoreError> {
        let sql = Sql::new("SELECT body FROM change_order WHERE pending = 1");
        let sql = sql.narrow("id >", after.map(|id| id.as_bytes().to_vec()));
        let sql = sql.then(" ORDER BY id LIMIT ?").bind(limit + 1);
        let mut all = Vec::new();
        for row in self.db.fetch(sql).await? {
            if let Life::Waiting(waiting) = life_of(&row)? {
                all.push(waiting);
            }
        }
        let mut page = page(all, limit, |waiting| waiting.order.id);
        page.items.retain(|waiting| waiting.order.cause.automatic);
        Ok(page)
    }

    /// Changes, newest first, after the one named `after`; at most `limit` and never
    /// more than [`MAX_PAGE`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn changes_to_sessions(
        &self,
        filter: &ChangeFilter,
        after: Option<ChangeOrderId>,
        limit: u32,
    ) -> Result<Page<Life, ChangeOrderId>, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let sql = Sql::new("SELECT body FROM change_order WHERE 1 = 1")
            .narrow("id <", after.map(|id| id.as_bytes().to_vec()))
            .narrow("session_id =", filter.session.map(|id| id.as_bytes().to_vec()))
            .narrow("wave_id =", filter.wave.map(|id| id.as_bytes().to_vec()))
            .narrow("decision_id =", filter.decision.map(|id| id.as_bytes().to_vec()))
            .narrow("nas_name =", filter.nas.as_deref())
            .narrow("pending =", (filter.state == Some(WAITING)).then_some(true))
            .narrow("state =", filter.state.filter(|state| *state != WAITING))
            .then(" ORDER BY id DESC LIMIT ?")
            .bind(limit + 1);
        let rows = self.db.fetch(sql).await?;
        let all = rows.iter().map(life_of).collect::<Result<Vec<_>, _>>()?;
        Ok(page(all, limit, |life| life.order().id))
    }

    /// The change of this id, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn change_to_session(&self, id: ChangeOrderId) -> Result<Option<Life>, StoreError> {
        let sql = Sql::new("SELECT body FROM change_order WHERE id = ?").bind(id.as_bytes());
        self.db.fetch_one(sql).await?.as_ref().map(life_of).transpose()
    }

    /// Ends changes that are to be tried, without asking their NAS. Those that are
    /// over stay as they are. Returns how many it ended.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_changes(&self, all: Vec<Waiting>, ending: Ending, now: Timestamp) -> Result<u64, StoreError> {
        let ended: Vec<_> = all.into_iter().map(|waiting| Life::Over(waiting.end(ending, now))).collect();
        let mut count = 0;
        for piece in ended.chunks(PIECE) {
            let mut tx = self.db.begin().await?;
            count += write(&mut tx, piece).await?.len() as u64;
            tx.commit().await?;
        }
        Ok(count)
    }

    /// Waves, newest first, after the one named `after`, with how far they have come.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn waves(&self, after: Option<WaveId>, limit: u32) -> Result<Page<(Wave, Counts), WaveId>, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let sql = Sql::new("SELECT body FROM change_wave WHERE 1 = 1");
        let sql = sql.narrow("id <", after.map(|id| id.as_bytes().to_vec()));
        let rows = self.db.fetch(sql.then(" ORDER BY id DESC LIMIT ?").bind(limit + 1)).await?;
        let mut all = Vec::new();
        for row in &rows {
            let wave = wave_of(row)?;
            let counts = self.wave_counts(wave.id).await?;
            all.push((wave, counts));
        }
        Ok(page(all, limit, |(wave, _)| wave.id))
    }

    /// The wave of this id with how far it has come, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn wave(&self, id: WaveId) -> Result<Option<(Wave, Counts)>, StoreError> {
        let sql = Sql::new("SELECT body FROM change_wave WHERE id = ?").bind(id.as_bytes());
        let Some(row) = self.db.fetch_one(sql).await? else { return Ok(None) };
        Ok(Some((wave_of(&row)?, self.wave_counts(id).await?)))
    }

    async fn wave_counts(&self, id: WaveId) -> Result<Counts, StoreError> {
        let sql = Sql::new("SELECT state, count(*) AS n FROM change_order WHERE wave_id = ? GROUP BY state");
        let rows = self.db.fetch(sql.bind(id.as_bytes())).await?;
        let rows = rows.iter().map(|row| Ok((row.text("state")?.to_owned(), row.counter("n")?)));
        Ok(Counts::of(&rows.collect::<Result<Vec<_>, StoreError>>()?))
    }

    /// Stops a wave: what was not sent yet is not sent. What its NAS is being asked
    /// for ends as it answers.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn abort_wave(&self, id: WaveId, by: &By, now: Timestamp) -> Result<WaveStep<Stopped>, StoreError> {
        let Some((wave, counts)) = self.wave(id).await? else { return Ok(WaveStep::Missing) };
        let state = wave.state(&counts, now);
        if wave.aborted.is_some() || counts.waiting == 0 {
            return Ok(WaveStep::Not(state));
        }
        let wave = Wave { aborted: Some(Aborted { at: now, by: by.actor.clone() }), ..wave };
        let (before, after) = (json!({ "waiting": counts.waiting }), json!({ "aborted": wave.aborted }));
        let event = Event::new(by, "wave.abort", "wave", &id.to_string(), now).states(before, after);
        let mut tx = self.db.begin().await?;
        save_wave(&mut tx, &wave).await?;
        audit::append(&mut tx, vec![event]).await?;
        tx.commit().await?;
        let mut stopped = 0;
        loop {
            let sql = Sql::new("SELECT body FROM change_order WHERE wave_id = ? AND state = ? ORDER BY id LIMIT ?");
            let sql = sql.bind(id.as_bytes()).bind(WAITING).bind(PIECE as u64);
            let mut tx = self.db.begin().await?;
            let rows = tx.fetch(sql).await?;
            for row in &rows {
                let Life::Waiting(waiting) = life_of(row)? else { continue };
                let over = Life::Over(waiting.end(Ending::Aborted, now));
                // Unless its NAS is being asked by now.
                let sql = Sql::new(format!("{UPDATE} AND state = ?")).bind(over.code()).bind(false).bind(now);
                let sql = sql.bind(body("change_order", &over)?).bind(over.order().id.as_bytes()).bind(WAITING);
                stopped += tx.execute(sql).await?;
            }
            tx.commit().await?;
            if rows.is_empty() {
                let asking = self.wave_counts(id).await?.asking;
                return Ok(WaveStep::Made(Stopped { stopped, asking }));
            }
        }
    }

    /// Lets a wave go that is held.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn release_wave(&self, id: WaveId, by: &By, now: Timestamp) -> Result<WaveStep<()>, StoreError> {
        let Some((wave, counts)) = self.wave(id).await? else { return Ok(WaveStep::Missing) };
        match wave.state(&counts, now) {
            HELD => {}
            state => return Ok(WaveStep::Not(state)),
        }
        let begins = wave.begins.min(now);
        let (before, after) = (json!({ "begins": wave.begins }), json!({ "begins": begins }));
        let event = Event::new(by, "wave.release", "wave", &id.to_string(), now).states(before, after);
        let mut tx = self.db.begin().await?;
        save_wave(&mut tx, &Wave { begins, ..wave }).await?;
        let sql = Sql::new("UPDATE change_order SET due_us = ? WHERE wave_id = ? AND state = ? AND due_us > ?");
        tx.execute(sql.bind(now).bind(id.as_bytes()).bind(WAITING).bind(now)).await?;
        audit::append(&mut tx, vec![event]).await?;
        tx.commit().await?;
        Ok(WaveStep::Made(()))
    }

    /// Forgets changes and waves that were ordered before `before` and are over.
    /// Returns how many changes.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_changes(&self, before: Timestamp) -> Result<u64, StoreError> {
        let sql = Sql::new("DELETE FROM change_order WHERE pending = 0 AND id < ?");
        let count = self.db.execute(sql.bind(ChangeOrderId::floor(before).to_vec())).await?;
        let sql = Sql::new(
            "DELETE FROM change_wave WHERE id < ? AND NOT EXISTS \
             (SELECT 1 FROM change_order WHERE wave_id = change_wave.id)",
        );
        self.db.execute(sql.bind(WaveId::floor(before).to_vec())).await?;
        Ok(count)
    }
}

async fn save_wave(tx: &mut Tx, wave: &Wave) -> Result<(), StoreError> {
    let sql = Sql::new("UPDATE change_wave SET body = ? WHERE id = ?");
    tx.execute(sql.bind(body("change_wave", wave)?).bind(wave.id.as_bytes())).await.map(drop)
}

/// That a session was ended, if this ended one, and nobody else had told so.
fn ended(life: &Life) -> Option<Happening> {
    let Life::Over(over) = life else { return None };
    let Order { session, who, identity, cause, .. } = &over.order;
    // Who told it knows it, and two systems would tell each other for ever.
    let told = cause.trigger.starts_with(BY_TRANSMITTER);
    (over.ended_session() && !told).then(|| Happening {
        at: over.at,
        what: What::SessionRevoked,
        identity: *identity,
        name: who.clone(),
        session: Some(*session),
        why: cause.detail.clone(),
        by_admin: !cause.automatic,
    })
}

/// A wave, as the audit log tells of it.
fn ordered(wave: &Wave, by: &By, now: Timestamp) -> Event {
    let Wave { id, trigger, detail, begins, total, live, .. } = wave;
    let after = json!({ "trigger": trigger, "begins": begins, "sessions": total, "sessions_in_all": live });
    Event::new(by, "wave.order", "wave", &id.to_string(), now).states(serde_json::Value::Null, after).because(detail)
}

/// A change to one session, as the audit log tells of it.
fn asked(life: &Life, by: &By, now: Timestamp) -> Event {
    let Order { id, session, nas_name, who, cause, .. } = life.order();
    let after = json!({ "change": id, "nas": nas_name, "who": who, "trigger": cause.trigger });
    let event = Event::new(by, "session.change", "session", &session.to_string(), now);
    event.states(serde_json::Value::Null, after).because(&cause.detail)
}

/// Writes changes that were to be tried. Returns those that still were.
async fn write(tx: &mut Tx, all: &[Life]) -> Result<HashSet<ChangeOrderId>, StoreError> {
    let mut saved = HashSet::new();
    for life in all {
        let sql = Sql::new(UPDATE).bind(state(life)).bind(matches!(life, Life::Waiting(_))).bind(due(life));
        let sql = sql.bind(body("change_order", life)?).bind(life.order().id.as_bytes());
        if tx.execute(sql).await? > 0 {
            saved.insert(life.order().id);
        }
    }
    Ok(saved)
}

async fn rewrite(tx: &mut Tx, life: &Life) -> Result<(), StoreError> {
    let body = body("change_order", life)?;
    let sql = match life {
        Life::Over(_) => {
            Sql::new("UPDATE change_order SET body = ?, state = ? WHERE id = ?").bind(body).bind(life.code())
        }
        Life::Waiting(_) => Sql::new("UPDATE change_order SET body = ? WHERE id = ?").bind(body),
    };
    tx.execute(sql.bind(life.order().id.as_bytes())).await.map(drop)
}
