//! Accounting: the record is read, stored, and only then acknowledged.

use super::{Attempt, Outcome};
use crate::inventory::mac::MacAddress;
use crate::radius::builder::ReplyBuilder;
use crate::radius::packet::Code;
use crate::session::accounting::AccountingRecord;
use crate::store::writer::Record;
use crate::telemetry::Discard;
use std::time::Duration;

impl Attempt<'_> {
    pub(super) fn account(&self) -> Outcome {
        let packet = self.request.packet();
        let attributes = packet.attributes().map(|a| (a.kind, a.value));
        let mac = |text: &str| MacAddress::parse(text).ok().map(|mac| mac.to_string());
        let source = self.source.ip();
        let record =
            AccountingRecord::from_attributes(attributes, &self.nas.name, source, self.now, mac).map_err(|e| {
                tracing::debug!(nas = %self.nas.name, error = %e, "accounting record refused");
                Discard::InvalidAccounting
            })?;
        let reply = ReplyBuilder::new(Code::AccountingResponse, self.request);
        self.after_record(Record::Accounting(Box::new(record)), reply, Duration::ZERO)
    }
}
