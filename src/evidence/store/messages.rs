//! Which message of the store a message of a log is: queue ids come back, and a message's lines may come in several files.

use duckdb::Connection;
use duckdb::arrow::array::{UInt8Array, UInt32Array, UInt64Array};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::evidence::attempt::{Envelope, IdKind};
use crate::evidence::names::NONE;
use crate::evidence::stamp::SECOND;
use crate::store::Columns;

/// No queue keeps a message longer: lines further apart under one reusable id are of two messages.
const LONGEST_LIFE: i64 = 30 * 86_400 * SECOND;
/// Nor does an id that is given once come back so much later: the lines were read in another year.
const ANOTHER_YEAR: i64 = 180 * 86_400 * SECOND;

/// The messages of one commit.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// By queue key; nearly always one each.
    known: FxHashMap<u64, Vec<Message>>,
    touched: FxHashMap<u64, i64>,
}

#[derive(Debug)]
struct Message {
    key: u64,
    envelope: Envelope,
    stored: bool,
    changed: bool,
}

impl Messages {
    /// Reads what the store holds under the queue keys of `envelopes`.
    pub(super) fn look_up<'a>(
        connection: &Connection,
        envelopes: impl Iterator<Item = &'a Envelope>,
    ) -> duckdb::Result<Self> {
        let mut keys: Vec<u64> = envelopes.map(|envelope| envelope.queue_key).collect();
        keys.sort_unstable();
        keys.dedup();
        stage(connection, "delivery_stage_queue", &keys)?;
        let mut messages = Self::default();
        let mut statement = connection.prepare(
            "SELECT e.message_key, e.queue_key, e.\"system\", e.queue_id, e.message_id, e.id_kind, e.envelope_from, e.campaign,
                epoch_us(e.first_at), epoch_us(e.last_at), epoch_us(e.removed_at), epoch_us(e.expired_at)
             FROM delivery_envelope e WHERE e.queue_key IN (SELECT key FROM delivery_stage_queue)",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let queue_id: String = row.get(3)?;
            let mut envelope = Envelope::new(row.get(1)?, true, row.get(2)?, queue_id.into_boxed_str(), row.get(8)?);
            envelope.message_id = row.get::<_, Option<String>>(4)?.map(String::into_boxed_str);
            envelope.id_kind = match row.get::<_, u8>(5)? {
                1 => IdKind::Header,
                2 => IdKind::Provider,
                _ => IdKind::Queue,
            };
            envelope.envelope_from = row.get::<_, Option<u32>>(6)?.unwrap_or(NONE);
            envelope.campaign = row.get::<_, Option<u32>>(7)?.unwrap_or(NONE);
            envelope.last_at = row.get(9)?;
            envelope.removed_at = row.get(10)?;
            envelope.expired_at = row.get(11)?;
            let message = Message { key: row.get(0)?, envelope, stored: true, changed: false };
            messages.known.entry(message.envelope.queue_key).or_default().push(message);
        }
        Ok(messages)
    }

    /// Finds or makes the message of an envelope; `None` where it has nothing to say and nobody to say it of.
    pub(super) fn place(&mut self, envelope: Envelope, has_attempts: bool) -> Option<u64> {
        let lives = self.known.entry(envelope.queue_key).or_default();
        let fits = |message: &&mut Message| {
            let longest = if envelope.reusable { LONGEST_LIFE } else { ANOTHER_YEAR };
            distance(&message.envelope, &envelope) < longest
                && (!envelope.reusable || same(&message.envelope, &envelope))
        };
        if let Some(message) =
            lives.iter_mut().filter(fits).min_by_key(|message| distance(&message.envelope, &envelope))
        {
            message.changed |= merge(&mut message.envelope, &envelope);
            let key = message.key;
            if envelope.expired_at.is_some() {
                self.touch(key, envelope.first_at);
            }
            return Some(key);
        }
        if !has_attempts
            && envelope.expired_at.is_none()
            && envelope.message_id.is_none()
            && envelope.envelope_from == NONE
        {
            return None;
        }
        let key = match lives.first() {
            None => envelope.queue_key,
            Some(_) => later_key(envelope.queue_key, envelope.first_at),
        };
        lives.push(Message { key, envelope, stored: false, changed: true });
        Some(key)
    }

    /// Notes that a message has new lines, the earliest at `at`.
    pub(super) fn touch(&mut self, key: u64, at: i64) {
        let first = self.touched.entry(key).or_insert(at);
        *first = at.min(*first);
    }

    /// The messages whose lives must be worked out (again), and the time of the earliest line of any of them.
    pub(super) fn touched(&self) -> (Vec<u64>, i64) {
        let keys: Vec<u64> = self.touched.keys().copied().collect();
        let set: FxHashSet<u64> = self.touched.keys().copied().collect();
        let stored = self.known.values().flatten().filter(|message| set.contains(&message.key));
        let first = stored.map(|message| message.envelope.first_at).chain(self.touched.values().copied()).min();
        (keys, first.unwrap_or(0))
    }

    /// Writes new messages, and those that changed in place of their old rows.
    pub(super) fn write(&self, connection: &Connection) -> duckdb::Result<()> {
        let changed: Vec<&Message> = self.known.values().flatten().filter(|message| message.changed).collect();
        let old: Vec<u64> = changed.iter().filter(|message| message.stored).map(|message| message.key).collect();
        if !old.is_empty() {
            stage(connection, "delivery_stage_message", &old)?;
            connection.execute_batch(
                "DELETE FROM delivery_envelope WHERE message_key IN (SELECT key FROM delivery_stage_message)",
            )?;
        }
        let some = |number: u32| (number != NONE).then_some(number);
        let mut columns = Columns::new();
        columns
            .push("message_key", UInt64Array::from_iter_values(changed.iter().map(|m| m.key)))
            .push("queue_key", UInt64Array::from_iter_values(changed.iter().map(|m| m.envelope.queue_key)))
            .push("system", UInt32Array::from_iter_values(changed.iter().map(|m| m.envelope.system)))
            .text("queue_id", changed.iter().map(|m| Some(&*m.envelope.queue_id)))
            .text("message_id", changed.iter().map(|m| m.envelope.message_id.as_deref()))
            .push("id_kind", UInt8Array::from_iter_values(changed.iter().map(|m| m.envelope.id_kind as u8)))
            .push("envelope_from", UInt32Array::from_iter(changed.iter().map(|m| some(m.envelope.envelope_from))))
            .push("campaign", UInt32Array::from_iter(changed.iter().map(|m| some(m.envelope.campaign))))
            .micros("first_at", changed.iter().map(|m| Some(m.envelope.first_at)))
            .micros("last_at", changed.iter().map(|m| Some(m.envelope.last_at)))
            .micros("removed_at", changed.iter().map(|m| m.envelope.removed_at))
            .micros("expired_at", changed.iter().map(|m| m.envelope.expired_at));
        columns.append(connection, "delivery_envelope")
    }
}

/// Says whether two parts under one reusable queue id, near each other in time, can be of one message.
fn same(known: &Envelope, new: &Envelope) -> bool {
    if let (Some(a), Some(b)) = (&known.message_id, &new.message_id) {
        return a == b;
    }
    // `removed` ends a life: what begins after it is another. Whole seconds, since syslog knows no more.
    let after =
        |ended: Option<i64>, begun: i64| ended.is_some_and(|end| begun.div_euclid(SECOND) > end.div_euclid(SECOND));
    !(after(known.removed_at, new.first_at) || after(new.removed_at, known.first_at))
}

/// How far apart two parts lie; overlapping ones are nearest.
fn distance(known: &Envelope, new: &Envelope) -> i64 {
    new.first_at.saturating_sub(known.last_at).max(known.first_at.saturating_sub(new.last_at)).max(0)
}

/// Adds what `new` says; returns whether anything changed.
fn merge(known: &mut Envelope, new: &Envelope) -> bool {
    let before = known.clone();
    known.first_at = known.first_at.min(new.first_at);
    known.last_at = known.last_at.max(new.last_at);
    if known.message_id.is_none() && new.message_id.is_some() {
        known.message_id.clone_from(&new.message_id);
        known.id_kind = new.id_kind;
    }
    if known.envelope_from == NONE {
        known.envelope_from = new.envelope_from;
    }
    if known.campaign == NONE {
        known.campaign = new.campaign;
    }
    known.removed_at = known.removed_at.max(new.removed_at);
    known.expired_at = known.expired_at.or(new.expired_at);
    *known != before
}

/// The key of a later message under a queue id: its first second tells it apart.
fn later_key(queue_key: u64, first_at: i64) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"later\0");
    hasher.update(&queue_key.to_le_bytes());
    hasher.update(&first_at.div_euclid(SECOND).to_le_bytes());
    crate::evidence::joiner::first_64(&hasher)
}

/// Puts keys into a temporary table.
pub(super) fn stage(connection: &Connection, table: &str, keys: &[u64]) -> duckdb::Result<()> {
    connection.execute_batch(&format!("CREATE OR REPLACE TEMP TABLE {table} (key UBIGINT)"))?;
    let mut columns = Columns::new();
    columns.push("key", UInt64Array::from_iter_values(keys.iter().copied()));
    columns.append(connection, table)
}
