//! Spans in the form of OTLP (opentelemetry-proto 1.x, `ExportTraceServiceRequest`), in Protocol Buffers.
//!
//! A dozen fields: written by hand, since the libraries that do it bring gRPC.

use super::trace::{Span, Value};

/// Field numbers of the messages, as opentelemetry-proto has them.
mod field {
    pub const RESOURCE_SPANS: u32 = 1;
    pub const RESOURCE: u32 = 1;
    pub const SCOPE_SPANS: u32 = 2;
    pub const RESOURCE_ATTRIBUTES: u32 = 1;
    pub const SCOPE: u32 = 1;
    pub const SPANS: u32 = 2;
    pub const SCOPE_NAME: u32 = 1;
    pub const SCOPE_VERSION: u32 = 2;
    pub const TRACE_ID: u32 = 1;
    pub const SPAN_ID: u32 = 2;
    pub const PARENT_SPAN_ID: u32 = 4;
    pub const NAME: u32 = 5;
    pub const KIND: u32 = 6;
    pub const START: u32 = 7;
    pub const END: u32 = 8;
    pub const ATTRIBUTES: u32 = 9;
    pub const STATUS: u32 = 15;
    pub const STATUS_CODE: u32 = 3;
    pub const KEY: u32 = 1;
    pub const VALUE: u32 = 2;
    pub const TEXT: u32 = 1;
    pub const NUMBER: u32 = 3;
}

const KIND_INTERNAL: u64 = 1;
const KIND_SERVER: u64 = 2;
const STATUS_ERROR: u64 = 2;

/// Wire types of Protocol Buffers.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;

/// The request that tells of `spans`, which the server with these `attributes` made.
pub fn request(spans: &[Span], attributes: &[(&'static str, Value)]) -> Vec<u8> {
    let mut resource = Message::default();
    attributes.iter().for_each(|(key, value)| resource.attribute(field::RESOURCE_ATTRIBUTES, key, value));
    let mut scope = Message::default();
    scope.bytes(field::SCOPE_NAME, env!("CARGO_PKG_NAME").as_bytes());
    scope.bytes(field::SCOPE_VERSION, env!("CARGO_PKG_VERSION").as_bytes());
    let mut of_scope = Message::default();
    of_scope.message(field::SCOPE, &scope);
    spans.iter().for_each(|one| of_scope.message(field::SPANS, &span(one)));
    let mut of_resource = Message::default();
    of_resource.message(field::RESOURCE, &resource);
    of_resource.message(field::SCOPE_SPANS, &of_scope);
    let mut all = Message::default();
    all.message(field::RESOURCE_SPANS, &of_resource);
    all.0
}

fn span(span: &Span) -> Message {
    let mut out = Message::default();
    out.bytes(field::TRACE_ID, &span.trace);
    out.bytes(field::SPAN_ID, &span.id);
    if let Some(parent) = &span.parent {
        out.bytes(field::PARENT_SPAN_ID, parent);
    }
    out.bytes(field::NAME, span.name.as_bytes());
    out.number(field::KIND, if span.served { KIND_SERVER } else { KIND_INTERNAL });
    for (number, at) in [(field::START, span.began), (field::END, span.ended)] {
        out.fixed(number, u64::try_from(at.as_micros()).unwrap_or_default().saturating_mul(1_000));
    }
    span.attributes.iter().for_each(|(key, value)| out.attribute(field::ATTRIBUTES, key, value));
    if span.failed {
        let mut status = Message::default();
        status.number(field::STATUS_CODE, STATUS_ERROR);
        out.message(field::STATUS, &status);
    }
    out
}

/// A message of Protocol Buffers.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn head(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    fn number(&mut self, field: u32, value: u64) {
        self.head(field, VARINT);
        self.varint(value);
    }

    fn fixed(&mut self, field: u32, value: u64) {
        self.head(field, FIXED64);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u32, value: &[u8]) {
        self.head(field, LENGTH);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }

    fn message(&mut self, field: u32, value: &Message) {
        self.bytes(field, &value.0);
    }

    fn attribute(&mut self, field: u32, key: &str, value: &Value) {
        let mut inner = Message::default();
        match value {
            Value::Text(text) => inner.bytes(field::TEXT, text.as_bytes()),
            // Negative numbers have ten octets, as int64 has.
            Value::Number(number) => inner.number(field::NUMBER, *number as u64),
        }
        let mut pair = Message::default();
        pair.bytes(field::KEY, key.as_bytes());
        pair.message(field::VALUE, &inner);
        self.message(field, &pair);
    }
}
