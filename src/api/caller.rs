//! Who asks: found out before a handler runs, and handed to it.

use super::ApiState;
use super::door::same_origin;
use super::problem::Problem;
use crate::audit::event::By;
use crate::ids::{OperatorId, SignInId, TokenId};
use crate::operators::account::{Operator, Sites};
use crate::operators::role::{Permission, Permissions, Role};
use crate::operators::sign_in::SignIn;
use crate::operators::throttle::Network;
use crate::operators::token::{PREFIX, digest_of};
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How long a reader waits for what was recorded before it asked.
const CATCH_UP: Duration = Duration::from_millis(500);
/// Tokens that are remembered to have been good once.
const MAX_SEEN: usize = 10_000;
/// Who holds the token of the server's own file.
const ROOT: &str = "api";

/// Who asks, and what they may.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Their name, as the audit log tells it.
    pub name: String,
    /// Their roles.
    pub roles: Vec<Role>,
    /// What they may do: that of their roles, less what their token leaves out.
    pub permissions: Permissions,
    /// Where the request came from.
    pub from: SocketAddr,
    /// What they are known by.
    pub means: Means,
    /// Where their rights hold.
    pub sites: Sites,
    /// The operator who asks, or whose token does.
    pub operator: Option<OperatorId>,
    /// Whoever is signed in.
    pub(super) person: Option<Box<Person>>,
}

/// An operator who is signed in.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// They.
    pub(super) operator: Operator,
    /// Their sign-in.
    pub(super) sign_in: SignIn,
    /// The digest of their cookie.
    pub(super) cookie: [u8; 32],
}

/// What somebody is known by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Means {
    /// The token of the server's own file.
    RootToken,
    /// A token that was made by the API.
    Token(TokenId),
    /// A sign-in.
    SignIn(SignInId),
}

impl Caller {
    /// As the author of a change.
    pub fn by(&self) -> By {
        self.by_name("")
    }

    /// The same. Who holds the server's own token may say who asked them: all who know it
    /// are one to the server.
    pub fn by_name(&self, told: &str) -> By {
        let name = if self.means == Means::RootToken && !told.is_empty() { told } else { &self.name };
        let role = match self.means {
            Means::Token(_) => "token".to_owned(),
            Means::RootToken | Means::SignIn(_) => {
                self.roles.iter().map(|role| role.code()).collect::<Vec<_>>().join(",")
            }
        };
        By::api(name, self.from).in_role(role)
    }

    /// Who it is, whatever they are called: one and the same for an operator and all their tokens.
    pub(super) fn who(&self) -> String {
        match (self.operator, self.means) {
            (Some(operator), _) => format!("operator {operator}"),
            (None, Means::Token(token)) => format!("token {token}"),
            (None, Means::RootToken | Means::SignIn(_)) => "root".into(),
        }
    }

    /// Whether their rights hold at the NAS of this name. One that is not there any more is at no site.
    pub(super) fn reaches(&self, state: &ApiState, nas: &str) -> bool {
        at_site(state, &self.sites, nas)
    }

    /// # Errors
    /// When they may not do that: for what an operation does beyond what it always wants.
    pub(super) fn may(&self, permission: Permission) -> Result<(), Problem> {
        self.may_do(permission, "this")
    }

    /// The same; `what` wants it, in words.
    ///
    /// # Errors
    /// When they may not do that.
    pub(super) fn may_do(&self, permission: Permission, what: &str) -> Result<(), Problem> {
        if self.permissions.include(permission) { Ok(()) } else { Err(Problem::forbidden(permission, what)) }
    }
}

/// Whether the NAS of this name is at one of `sites`.
pub(super) fn at_site(state: &ApiState, sites: &Sites, nas: &str) -> bool {
    let snapshot = state.engine.snapshot();
    *sites == Sites::All || sites.include(snapshot.nas.named(nas).and_then(|known| known.site.as_deref()))
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(|| Problem::unauthorized(false))
    }
}

/// What an operation wants of who asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wants {
    /// Nothing.
    Nobody,
    /// That they may do this; and whether it keeps to the sites of whose rights hold at some alone.
    Permission(Permission, bool),
}

/// What each operation wants, by method and path. The OpenAPI document is where that is said; what it does not
/// say, nobody may do.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    wants: Arc<HashMap<(Method, String), Wants>>,
    state: ApiState,
}

impl Guard {
    /// Guards what `document` describes.
    pub(super) fn new(document: &Value, state: ApiState) -> Guard {
        let mut wants = HashMap::new();
        let paths = document["paths"].as_object().into_iter().flatten();
        for (path, item) in paths {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let Ok(method) = method.to_ascii_uppercase().parse::<Method>() else { continue };
                if let Some(said) = wanted(operation) {
                    wants.insert((method, path.clone()), said);
                }
            }
        }
        Guard { wants: Arc::new(wants), state }
    }

    fn wants(&self, request: &Request) -> Option<Wants> {
        let path = request.extensions().get::<MatchedPath>()?.as_str();
        // A HEAD is a GET without its body.
        let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
        self.wants.get(&(method, path.to_owned())).copied()
    }
}

/// Says of an operation that it keeps to the caller's sites.
const BY_SITE: &str = "by_site";

/// `security` of an operation: `[{}]`, `[{"bearer": ["network:read"]}]`, or `[{"bearer": ["network:read", "by_site"]}]`.
fn wanted(operation: &Value) -> Option<Wants> {
    let scheme = operation["security"].as_array()?.first()?.as_object()?;
    match scheme.values().next() {
        None => Some(Wants::Nobody),
        Some(scopes) => {
            let by_site = scopes[1].as_str() == Some(BY_SITE);
            scopes[0].as_str()?.parse().ok().map(|permission| Wants::Permission(permission, by_site))
        }
    }
}

/// Lets through who may do what they ask for.
pub(super) async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let (wanted, by_site) = match guard.wants(&request) {
        Some(Wants::Nobody) => return next.run(request).await,
        Some(Wants::Permission(permission, by_site)) => (permission, by_site),
        None => return Problem::undescribed().into_response(),
    };
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(from)| *from);
    let from = from.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
    let caller = match guard.state.caller(request.method(), request.headers(), from).await {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    let allowed = guard.state.requests.take(caller.means, guard.state.clock.now()).and_then(|()| caller.may(wanted));
    if let Err(problem) = allowed {
        return problem.into_response();
    }
    if caller.sites != Sites::All && !by_site && wanted != Permission::Own {
        return Problem::beyond_sites().into_response();
    }
    request.extensions_mut().insert(caller);
    // Whoever has seen an answer finds its record.
    guard.state.store.caught_up(CATCH_UP).await;
    next.run(request).await
}

impl ApiState {
    /// Who asks.
    async fn caller(&self, method: &Method, headers: &HeaderMap, from: SocketAddr) -> Result<Caller, Problem> {
        if !headers.contains_key(header::AUTHORIZATION)
            && let Some(cookie) = self.door.shown(headers)
        {
            same_origin(method, headers, true)?;
            return self.by_cookie(cookie, from).await;
        }
        match bearer(headers) {
            Some(token) if bool::from(token.ct_eq(self.token.expose())) => Ok(Caller {
                name: ROOT.into(),
                roles: vec![Role::Administrator],
                permissions: Permissions::ALL,
                from,
                means: Means::RootToken,
                sites: Sites::All,
                operator: None,
                person: None,
            }),
            Some(token) if token.starts_with(PREFIX.as_bytes()) => self.by_token(token, from).await,
            given => Err(Problem::unauthorized(given.is_some())),
        }
    }

    /// Whether this is the digest of a key that was good.
    pub(super) fn remembers(&self, digest: &[u8; 32]) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }

    /// Remembers the digest of a key that was good.
    pub(super) fn remember(&self, digest: [u8; 32]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_SEEN {
            seen.clear();
        }
        seen.insert(digest);
    }

    async fn by_token(&self, value: &[u8], from: SocketAddr) -> Result<Caller, Problem> {
        let now = self.clock.now();
        let digest = digest_of(value);
        // Who guesses does not keep those out who share their address.
        if !self.remembers(&digest) {
            self.failures.check(&Network::of(from.ip()), now)?;
        }
        let found = self.store.token_by_digest(&digest).await?;
        let token = found.filter(|token| token.is_good(now));
        let Some(token) = token else {
            self.failures.take(Network::of(from.ip()), now)?;
            return Err(Problem::unauthorized(true));
        };
        self.remember(digest);
        if let Err(error) = self.store.token_used(&token, now).await {
            tracing::debug!(%error, "the last use of a token is not noted");
        }
        let mut caller = Caller {
            name: token.name,
            roles: Vec::new(),
            permissions: token.permissions,
            from,
            means: Means::Token(token.id),
            sites: token.sites,
            operator: token.operator,
            person: None,
        };
        if let Some(id) = token.operator {
            // Who loses a right loses it by all their tokens.
            let operator = self.store.operator(id).await?.filter(|operator| !operator.disabled);
            let operator = operator.ok_or_else(|| Problem::unauthorized(true))?;
            caller.name = format!("{} ({})", operator.name, caller.name);
            caller.permissions = caller.permissions.and(operator.permissions());
            caller.sites = caller.sites.and(&operator.sites);
        }
        Ok(caller)
    }

    async fn by_cookie(&self, cookie: [u8; 32], from: SocketAddr) -> Result<Caller, Problem> {
        let now = self.clock.now();
        let Some((sign_in, operator)) = self.store.signed_in(&cookie, now).await? else {
            return Err(Problem::not_signed_in("signed_out", "you are signed out: sign in again"));
        };
        if let Err(error) = self.store.seen(&sign_in, now).await {
            tracing::debug!(%error, "the last use of a sign-in is not noted");
        }
        let own = [Permission::Own].into_iter().collect();
        let permissions = if sign_in.whole { operator.permissions() } else { own };
        Ok(Caller {
            name: operator.name.clone(),
            roles: operator.roles.clone(),
            permissions: permissions.or(own),
            from,
            means: Means::SignIn(sign_in.id),
            sites: operator.sites.clone(),
            operator: Some(operator.id),
            person: Some(Box::new(Person { operator, sign_in, cookie })),
        })
    }
}

/// RFC 6750: `Authorization: Bearer <token>`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}
