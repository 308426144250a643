//! The door by which people come in: cookies, what is under way, and who must wait.

use super::ApiState;
use super::caller::Caller;
use super::problem::Problem;
use crate::audit::event::By;
use crate::config::stored::{StoredError, derived_key, seal_or_new};
use crate::ids::{OperatorId, SignInId};
use crate::inventory::seal::Seal;
use crate::operators::account::Operator;
use crate::operators::passkey::Passkeys;
use crate::operators::provider::{AWAY, Away};
use crate::operators::sign_in::{DEVICE_LIFE, Devices, LIFE, Means, SignIn};
use crate::operators::throttle::Throttle;
use crate::operators::token::digest_of;
use crate::random::random;
use crate::secret::Secret;
use crate::store::operators::OperatorError;
use crate::time::Timestamp;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Passwords that are hashed at once: each takes 19 MiB and tens of milliseconds of a processor, and logins of devices go
/// on beside it.
const HASHING: usize = 2;
/// How long one waits for a turn.
const TURN: Duration = Duration::from_secs(5);
/// People who may be about to add an app at once.
const MOST: usize = 1_000;
/// How long an app may take to be added.
const PENDING: Duration = Duration::from_secs(10 * 60);
/// The longest name of a browser that is kept, in characters.
const MAX_BROWSER: usize = 200;
/// A header that pages of other origins cannot send (Fetch, "CORS-safelisted request-header"): whoever is signed in by a
/// cookie sends it with each change.
pub(super) const CSRF: HeaderName = HeaderName::from_static("x-cordon-csrf");

/// Keys that are made of the one beside the database.
struct Keys {
    seal: Seal,
    devices: Devices,
}

/// What people come in by.
pub struct Door {
    /// How browsers reach this server.
    origin: String,
    data_dir: PathBuf,
    keys: OnceLock<Keys>,
    passkeys: Option<Passkeys>,
    throttle: Mutex<Throttle>,
    hashing: Semaphore,
    apps: Mutex<HashMap<OperatorId, (Secret, Timestamp)>>,
    pub(super) provider: tokio::sync::Mutex<Option<super::provider::Known>>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Door {
    /// For a server that browsers reach at `origin` and whose keys are in `data_dir`.
    pub fn new(origin: String, data_dir: PathBuf) -> Door {
        let passkeys = Passkeys::new(&origin);
        if let Err(error) = &passkeys {
            tracing::info!("operators have no passkeys: {error}; `origin` of [http] can give one");
        }
        Door {
            origin,
            data_dir,
            keys: OnceLock::new(),
            passkeys: passkeys.ok(),
            throttle: Mutex::default(),
            hashing: Semaphore::new(HASHING),
            apps: Mutex::default(),
            provider: tokio::sync::Mutex::default(),
        }
    }

    /// How browsers reach this server.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    fn is_secure(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// The name of a cookie: with a prefix by which browsers see to it that it came from here, over TLS (RFC 6265bis).
    fn cookie(&self, name: &str) -> String {
        if self.is_secure() { format!("__Host-{name}") } else { name.to_owned() }
    }

    /// A cookie to be set; one of no life is taken away.
    fn set_cookie(&self, name: &str, value: &str, life: Duration, same_site: &str) -> Result<HeaderValue, Problem> {
        let secure = if self.is_secure() { "; Secure" } else { "" };
        let text = format!(
            "{}={value}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={}{secure}",
            self.cookie(name),
            life.as_secs()
        );
        HeaderValue::from_str(&text).map_err(|e| Problem::internal(&e))
    }

    fn keys(&self) -> Result<&Keys, Problem> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        let fault = |e: StoredError| Problem::internal(&e);
        let seal = seal_or_new(&self.data_dir).map_err(fault)?;
        let devices = derived_key(&self.data_dir, "known browsers").map_err(fault)?;
        Ok(self.keys.get_or_init(|| Keys { seal, devices: Devices::new(&devices) }))
    }

    /// What seals secrets of operators.
    pub(super) fn seal(&self) -> Result<&Seal, Problem> {
        self.keys().map(|keys| &keys.seal)
    }

    /// The passkeys of this server.
    pub(super) fn passkeys(&self) -> Result<&Passkeys, Problem> {
        self.passkeys.as_ref().ok_or_else(|| {
            let detail = format!(
                "passkeys are for names, and this server is known as {}: give [http] an `origin` with its name",
                self.origin
            );
            Problem::conflict("no_passkeys", detail)
        })
    }

    /// Whether there are passkeys here.
    pub(super) fn has_passkeys(&self) -> bool {
        self.passkeys.is_some()
    }

    /// Keeps what an app is to share with the server until a code shows that it does.
    pub(super) fn begin_app(&self, operator: OperatorId, secret: Secret, now: Timestamp) -> Result<(), Problem> {
        let mut all = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (_, since)| now.since(*since) < PENDING);
        if all.len() >= MOST {
            return Err(Problem::too_many("too many apps are being added", Duration::from_secs(60)));
        }
        all.insert(operator, (secret, now));
        Ok(())
    }

    /// What an app is to share with the server.
    pub(super) fn pending_app(&self, operator: OperatorId, now: Timestamp) -> Option<Secret> {
        let all = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&operator).filter(|(_, since)| now.since(*since) < PENDING).map(|(secret, _)| secret.clone())
    }

    /// The app is added.
    pub(super) fn end_app(&self, operator: OperatorId) {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner).remove(&operator);
    }

    /// Does what hashes a password, when it is its turn.
    pub(super) async fn hash<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = tokio::time::timeout(TURN, self.hashing.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(Problem::too_many("too many passwords are being looked at", TURN));
        };
        tokio::task::spawn_blocking(work).await.map_err(|e| Problem::internal(&e))
    }

    /// Begins a try, which counts as a failure until [`Door::tried`] says otherwise: of many at once, each counts before
    /// its password is looked at.
    ///
    /// # Errors
    /// When somebody has to wait before they may try again.
    pub(super) fn may_try(&self, name: &str, from: SocketAddr, known: bool, now: Timestamp) -> Result<(), Problem> {
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = throttle.wait(name, from.ip(), known, now);
        if wait.is_zero() {
            throttle.failed(name, from.ip(), now);
            return Ok(());
        }
        let detail =
            format!("too many passwords were wrong: try again in {} s, or sign in by passkey", wait.as_secs() + 1);
        Err(Problem::too_many(detail, wait))
    }

    /// Notes that a try was none: the password was right, and a code is wanted.
    pub(super) fn not_tried(&self, name: &str, from: SocketAddr) {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner).unmade(name, from.ip());
    }

    /// Notes that a try ended well.
    pub(super) fn tried(&self, name: &str, from: SocketAddr) {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner).succeeded(name, from.ip());
    }

    /// Whether the browser is known to be `operator`'s.
    pub(super) fn knows(&self, headers: &HeaderMap, operator: OperatorId, now: Timestamp) -> bool {
        let mark = cookie_of(headers, &self.cookie(DEVICE));
        mark.is_some_and(|mark| self.keys().is_ok_and(|keys| keys.devices.knows(&mark, operator, now)))
    }

    /// The digest of the cookie of whoever is signed in.
    pub(super) fn shown(&self, headers: &HeaderMap) -> Option<[u8; 32]> {
        cookie_of(headers, &self.cookie(SESSION)).map(|value| digest_of(value.as_bytes()))
    }

    /// What a browser keeps, sealed, while its operator is at the provider's page, so that nobody else comes back in their
    /// place, and nothing is kept here of those who never do. It is lax: the way back begins at the provider.
    pub(super) fn keep_away(&self, away: &Away) -> Result<HeaderValue, Problem> {
        let text = serde_json::to_string(away).map_err(|e| Problem::internal(&e))?;
        let sealed = self.seal()?.seal(STATE, &Secret::new(text)).map_err(|e| Problem::internal(&e))?;
        self.set_cookie(STATE, &URL_SAFE_NO_PAD.encode(sealed), AWAY, "Lax")
    }

    /// What the browser kept, if it is of this server and not too old.
    pub(super) fn kept_away(&self, headers: &HeaderMap, now: Timestamp) -> Option<Away> {
        let sealed = URL_SAFE_NO_PAD.decode(cookie_of(headers, &self.cookie(STATE))?).ok()?;
        let text = self.seal().ok()?.open(STATE, &sealed).ok()?;
        let away: Away = serde_json::from_slice(text.expose()).ok()?;
        (now.since(away.since) < AWAY).then_some(away)
    }

    /// Takes away what a browser kept: who is back is away no more.
    pub(super) fn is_back(&self) -> Result<HeaderValue, Problem> {
        self.set_cookie(STATE, "", Duration::ZERO, "Lax")
    }

    /// Takes away what a browser has of a sign-in.
    pub(super) fn forget(&self) -> Result<HeaderValue, Problem> {
        self.set_cookie(SESSION, "", Duration::ZERO, "Strict")
    }
}

/// The cookies.
const SESSION: &str = "cordon";
const DEVICE: &str = "cordon-browser";
const STATE: &str = "cordon-away";

fn cookie_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(n, _)| *n == name).map(|(_, value)| value.to_owned())
}

/// A secret text of random octets.
pub(super) fn secret_text() -> Result<String, Problem> {
    let octets: [u8; 32] = random().ok_or_else(|| Problem::internal(&"the system gives no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(octets))
}

/// Refuses what another site's page has a browser ask: browsers say where a request comes from.
///
/// # Errors
/// When it comes from another origin.
pub(super) fn same_origin(method: &Method, headers: &HeaderMap, cookie: bool) -> Result<(), Problem> {
    if method.is_safe() {
        return Ok(());
    }
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let foreign = text(&header::ORIGIN).is_some_and(|origin| {
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        text(&header::HOST) != Some(host)
    });
    let elsewhere =
        text(&HeaderName::from_static("sec-fetch-site")).is_some_and(|site| site != "same-origin" && site != "none");
    if foreign || elsewhere {
        return Err(Problem::cross_site("it comes from a page of another site"));
    }
    if cookie && !headers.contains_key(CSRF) {
        return Err(Problem::cross_site(
            "whoever is signed in by a cookie sends the header X-Cordon-CSRF with each change",
        ));
    }
    Ok(())
}

/// Signs somebody in: what to set in their browser.
pub(super) async fn let_in(
    state: &ApiState,
    operator: &Operator,
    means: Means,
    whole: bool,
    headers: &HeaderMap,
    from: SocketAddr,
) -> Result<HeaderMap, Problem> {
    let (sign_in, cookie, set) = entry(state, operator, means, whole, headers, from)?;
    let by = by(operator, from);
    state.store.add_sign_in(&sign_in, &cookie, &by).await?;
    Ok(set)
}

/// An operator as the author of something.
pub(super) fn by(operator: &Operator, from: SocketAddr) -> By {
    let roles: Vec<&str> = operator.roles.iter().map(|role| role.code()).collect();
    By::api(&operator.name, from).in_role(roles.join(","))
}

/// A sign-in that is not stored yet, the digest of its cookie, and what to set in the browser.
pub(super) fn entry(
    state: &ApiState,
    operator: &Operator,
    means: Means,
    whole: bool,
    headers: &HeaderMap,
    from: SocketAddr,
) -> Result<(SignIn, [u8; 32], HeaderMap), Problem> {
    let (door, now) = (&state.door, state.clock.now());
    let value = secret_text()?;
    let browser = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sign_in = SignIn {
        id: SignInId::new(now),
        operator: operator.id,
        means,
        whole,
        at: now,
        seen: now,
        from: from.ip().to_string(),
        browser: browser.chars().take(MAX_BROWSER).collect(),
    };
    let mut set = HeaderMap::new();
    set.append(header::SET_COOKIE, door.set_cookie(SESSION, &value, LIFE, "Strict")?);
    if whole {
        let mark = door.keys()?.devices.mark(operator.id, now);
        set.append(header::SET_COOKIE, door.set_cookie(DEVICE, &mark, DEVICE_LIFE, "Strict")?);
    }
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok((sign_in, digest_of(value.as_bytes()), set))
}

/// The link by which somebody comes in for the first time; its secret part is not sent to any server before they press the
/// button.
pub fn link_at(origin: &str, secret: &str) -> String {
    let mut link = String::new();
    let _ = write!(link, "{}/sign-in#{secret}", origin.trim_end_matches('/'));
    link
}

impl Caller {
    /// The operator who asks, to change what is their own.
    ///
    /// # Errors
    /// When it is no operator who is signed in.
    pub(super) fn signed_in(&self) -> Result<(&Operator, &SignIn, &[u8; 32]), Problem> {
        match &self.person {
            Some(person) => Ok((&person.operator, &person.sign_in, &person.cookie)),
            None => {
                Err(Problem::conflict("no_operator", "this is about operators who are signed in, and a token is none"))
            }
        }
    }

    /// The same, for what somebody who finds a screen open must not do.
    ///
    /// # Errors
    /// When they signed in too long ago.
    pub(super) fn freshly_signed_in(&self, now: Timestamp) -> Result<(&Operator, &SignIn, &[u8; 32]), Problem> {
        let person = self.signed_in()?;
        if person.1.is_fresh(now) {
            return Ok(person);
        }
        Err(Problem::conflict("sign_in_again", "sign in again first: that was more than 15 minutes ago"))
    }

    /// The same, to add something to sign in with here.
    ///
    /// # Errors
    /// When a provider vouches for them: what it takes back must not be left in another way.
    pub(super) fn adds_a_key(&self, now: Timestamp) -> Result<(&Operator, &SignIn, &[u8; 32]), Problem> {
        let person = self.freshly_signed_in(now)?;
        comes_by_itself(person.0)?;
        Ok(person)
    }
}

impl From<OperatorError> for Problem {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::Taken => Problem::conflict("name_taken", error.to_string()),
            OperatorError::TooMany => Problem::conflict("too_many_operators", error.to_string()),
            OperatorError::Overtaken => Problem::precondition(error.to_string()),
            OperatorError::Last => Problem::conflict("last_administrator", error.to_string()),
            OperatorError::Store(error) => error.into(),
        }
    }
}

/// # Errors
/// When a provider vouches for an operator, who comes in by it alone.
pub(super) fn comes_by_itself(operator: &Operator) -> Result<(), Problem> {
    if operator.provider.is_none() {
        return Ok(());
    }
    let detail = "a provider of identities vouches for this operator, who signs in by it alone";
    Err(Problem::conflict("of_provider", detail))
}

/// Shared by all handlers.
pub(super) type SharedDoor = Arc<Door>;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn what_pages_of_others_ask_is_refused() {
        let fine = |pairs: &[_], cookie| same_origin(&Method::POST, &headers(pairs), cookie).is_ok();
        let own = ("origin", "https://nac.example:8443");
        let host = ("host", "nac.example:8443");
        assert!(fine(&[host], false) && fine(&[host, own], false));
        assert!(!fine(&[host, own], true) && fine(&[host, own, ("x-cordon-csrf", "1")], true));
        for foreign in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "https://nac.example"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert!(!fine(&[host, foreign, ("x-cordon-csrf", "1")], true), "{foreign:?}");
            assert!(!fine(&[host, foreign], false), "{foreign:?}");
        }
        assert!(same_origin(&Method::GET, &headers(&[host]), true).is_ok());
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let jar = headers(&[("cookie", "a=1; __Host-cordon=x; cordon=planted")]);
        let door = Door::new("https://nac.example".into(), PathBuf::new());
        assert_eq!(cookie_of(&jar, &door.cookie(SESSION)).as_deref(), Some("x"));
        let set = door.set_cookie(SESSION, "x", LIFE, "Strict").unwrap();
        assert_eq!(set, "__Host-cordon=x; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure");
    }
}
