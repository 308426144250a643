//! How operators sign in.

use super::Builder;
use crate::config::Config;
use crate::operators::account::Sites;
use crate::operators::provider::{Grant, Provider};
use crate::pki::pem;
use crate::secret::Secret;
use std::sync::Arc;

/// How operators sign in.
#[derive(Clone, Debug)]
pub struct SignInRules {
    /// Whether a password alone is not enough.
    pub second_factor: bool,
    /// Who vouches for operators.
    pub provider: Option<Arc<Provider>>,
    /// Whether a policy wants a second pair of eyes.
    pub four_eyes: bool,
}

impl Builder<'_> {
    /// `[operators]`, `[oidc]` and `origin` of `[http]`.
    pub(super) fn sign_in(&mut self, config: &Config) -> SignInRules {
        if let Some(origin) = &config.http.origin {
            let (text, loopback) = (origin.get_ref(), config.http.listen.get_ref().ip().is_loopback());
            let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://").filter(|_| loopback));
            let fine = host.is_some_and(|rest| !rest.is_empty() && !rest.contains('/'));
            if !fine {
                let message = format!("http.origin {text:?} is no place that browsers sign in at");
                self.wrong(origin.span(), message, "write https://NAME or https://NAME:PORT, without a path");
            }
        }
        let provider = self.provider(config).map(Arc::new);
        let (second_factor, four_eyes) = (config.operators.second_factor, config.policy.four_eyes);
        SignInRules { second_factor, provider, four_eyes }
    }

    fn provider(&mut self, config: &Config) -> Option<Provider> {
        let section = config.oidc.as_ref()?;
        let (span, section) = (section.span(), section.get_ref());
        let issuer = section.issuer.get_ref();
        let plain = issuer.strip_prefix("http://").unwrap_or_default();
        let loopback = ["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .any(|own| plain.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])));
        if !issuer.starts_with("https://") && !loopback {
            let message = format!("oidc.issuer {issuer:?} is no https URL");
            self.wrong(section.issuer.span(), message, "give the issuer as the provider's discovery document says it");
            return None;
        }
        if section.grant.iter().all(|grant| grant.get_ref().roles.is_empty()) {
            self.wrong(span, "[oidc] grants nobody anything", "give it [[oidc.grant]] with a value and roles");
            return None;
        }
        let secret = self.read(&section.client_secret_file, "the client secret of [oidc]")?;
        let secret = String::from_utf8_lossy(&secret).trim().to_owned();
        if secret.is_empty() {
            let message = "the client secret of [oidc] is empty";
            self.wrong(
                section.client_secret_file.span(),
                message,
                "the provider gave one when this server was registered",
            );
            return None;
        }
        let cas = match &section.ca {
            Some(file) => {
                let bundle = self.read(file, "the CA file of [oidc]")?;
                match pem::certificates(&bundle) {
                    Ok(all) => all.into_iter().map(|certificate| certificate.to_vec()).collect(),
                    Err(e) => {
                        self.wrong(file.span(), format!("the CA file of [oidc]: {e}"), "give PEM certificates");
                        return None;
                    }
                }
            }
            None => Vec::new(),
        };
        let grant = |grant: &toml::Spanned<crate::config::OidcGrant>| {
            let grant = grant.get_ref();
            Grant { value: grant.value.clone(), roles: grant.roles.clone(), sites: Sites::from(grant.sites.clone()) }
        };
        Some(Provider {
            name: section.name.clone(),
            issuer: issuer.clone(),
            client_id: section.client_id.clone(),
            client_secret: Secret::new(secret),
            cas,
            claim: section.claim.clone(),
            grants: section.grant.iter().map(grant).collect(),
        })
    }
}
