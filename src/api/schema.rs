//! How the words of the lower layers look in the OpenAPI document.

use crate::audit::decision::DecisionOutcome;
use crate::audit::reason::Reason;
use crate::ids::{
    AuditEventId, CaseId, ChangeId, ChangeOrderId, ContainmentId, DecisionId, DeliveryId, EndpointId, IdentityId,
    NasId, NodeId, OperatorId, ProposalId, RunId, SessionId, SignInId, SignalId, StreamId, TokenId, WaveId, WebhookId,
};
use crate::operators::role::Role;
use crate::posture::compliance::{Severity, Status};
use crate::session::state::{Inference, SessionState};
use crate::signals::kind::SignalKind;
use crate::signals::risk::Level as RiskLevel;
use crate::signals::signal::Severity as SignalSeverity;
use crate::time::Timestamp;
use std::borrow::Cow;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

fn text(format: SchemaFormat) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).format(Some(format))
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        text(SchemaFormat::KnownFormat(KnownFormat::DateTime)).description(Some("UTC")).into()
    }
}

impl ToSchema for Timestamp {
    fn name() -> Cow<'static, str> {
        "Timestamp".into()
    }
}

macro_rules! ids {
    ($($name:ident),*) => {
        $(
            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    text(SchemaFormat::Custom("uuid".into())).into()
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        )*
    };
}

ids!(
    AuditEventId,
    CaseId,
    ContainmentId,
    RunId,
    ChangeId,
    ChangeOrderId,
    DecisionId,
    DeliveryId,
    EndpointId,
    IdentityId,
    NasId,
    OperatorId,
    ProposalId,
    SessionId,
    SignInId,
    SignalId,
    StreamId,
    NodeId,
    TokenId,
    WaveId,
    WebhookId
);

/// Gives enums that are told by their codes a schema that lists those.
macro_rules! codes {
    ($($name:ty: $all:expr;)*) => {
        $(
            impl utoipa::PartialSchema for $name {
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                    utoipa::openapi::schema::ObjectBuilder::new()
                        .schema_type(utoipa::openapi::schema::Type::String)
                        .enum_values(Some($all))
                        .into()
                }
            }

            impl utoipa::ToSchema for $name {
                fn name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        )*
    };
}

codes! {
    DecisionOutcome: DecisionOutcome::ALL.map(DecisionOutcome::code);
    Reason: Reason::ALL.iter().map(|reason| reason.code());
    Role: Role::ALL.map(Role::code);
    SessionState: SessionState::ALL.map(SessionState::code);
    Inference: ["silent", "superseded"];
    Status: Status::ALL.map(Status::code);
    Severity: ["warning", "critical"];
    SignalKind: SignalKind::ALL.iter().map(|kind| kind.code());
    SignalSeverity: SignalSeverity::ALL.map(SignalSeverity::code);
    RiskLevel: RiskLevel::ALL.map(RiskLevel::code);
}
