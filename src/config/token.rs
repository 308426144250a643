//! The API's bearer token.

use super::files::secret_file;
use super::{Config, ConfigError, Source};
use crate::secret::Secret;

/// The secret token of the API: from the configuration or its file, which is
/// made with a random one when it is missing.
///
/// # Errors
/// When the file can be neither read nor made.
pub fn api_token(config: &Config, source: &Source) -> Result<Secret, ConfigError> {
    /// A token shorter than this, in octets, could be guessed.
    const MIN_TOKEN_LEN: usize = 16;
    let (token, span) = match &config.http.token {
        Some(token) => (token.get_ref().clone(), token.span()),
        None => {
            let file = source.resolve(&config.http.token_file);
            let made = secret_file::<32>(&file).map_err(|e| ConfigError {
                file,
                line: None,
                message: format!("the API token cannot be read or made: {e}"),
                remedy: "set http.token_file to a path that can be written".into(),
            });
            (made?, 0..0)
        }
    };
    if token.len() < MIN_TOKEN_LEN {
        return Err(source.error(
            span,
            format!("the API token has less than {MIN_TOKEN_LEN} octets"),
            "`openssl rand -hex 32` makes a good one",
        ));
    }
    Ok(Secret::new(token))
}
