//! Accounting: the record is read, stored, and only then acknowledged.

use super::{Attempt, Outcome};
use crate::radius::builder::ReplyBuilder;
use crate::radius::packet::{Code, HEADER_LEN};
use crate::session::accounting::AccountingRecord;
use crate::store::writer::Record;
use crate::telemetry::Discard;
use std::time::Duration;

impl Attempt<'_> {
    pub(super) fn account(&self) -> Outcome {
        let packet = self.request.packet();
        let source = self.arrival.source.ip();
        let octets = packet.bytes().get(HEADER_LEN..).unwrap_or_default();
        let record = AccountingRecord::from_octets(octets, &self.nas.name, source, self.now).map_err(|e| {
            tracing::debug!(nas = %self.nas.name, error = %e, "accounting record refused");
            Discard::InvalidAccounting
        })?;
        let reply = ReplyBuilder::new(Code::AccountingResponse, self.request);
        self.after_record(Record::Accounting(Box::new(record)), reply, Duration::ZERO)
    }
}
