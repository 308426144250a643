//! Lists come in pages, each with the cursor of the next.

use super::problem::Problem;
use crate::store::read::MAX_PAGE;
use serde::Serialize;
use utoipa::ToSchema;

/// Rows of a page when the caller does not say.
pub(super) const DEFAULT_PAGE: u32 = 50;
/// What a cursor is, in words.
pub(super) const CURSOR: &str = "the \"next\" of an earlier page";

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// What is on it.
    pub(super) items: Vec<T>,
    /// The cursor of the next page; null on the last.
    #[schema(required)]
    pub(super) next: Option<String>,
}

impl<T> Page<T> {
    /// `items`, and where the next page begins.
    pub(super) fn new(items: Vec<T>, next: Option<impl ToString>) -> Page<T> {
        Page { items, next: next.map(|next| next.to_string()) }
    }
}

/// Rows of a page, as asked for.
pub(super) fn limit(given: Option<u32>) -> Result<u32, Problem> {
    match given {
        None => Ok(DEFAULT_PAGE),
        Some(n) if (1..=MAX_PAGE).contains(&n) => Ok(n),
        Some(n) => Err(Problem::parameter("limit", format!("{n} is not between 1 and {MAX_PAGE}"))),
    }
}
