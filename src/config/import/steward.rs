//! Who answers for what is imported, where the files do not say.

use super::document::Document;

/// What identities get that have none: `cordon apply` demands both of all that
/// are no users.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Steward {
    /// The name of the user who answers for them.
    pub owner: Option<String>,
    /// What they are for.
    pub purpose: Option<String>,
}

impl Steward {
    /// Writes the owner as a user, so that the document stands by itself.
    pub(super) fn write_owner(&self, document: &mut Document) {
        let Some(owner) = &self.owner else { return };
        document.comment(
            "\nIf the server knows this user already, remove this section: it takes the place of what is known.",
        );
        document.section("identity");
        document.text("name", owner);
        document.text("kind", "user");
    }
}
