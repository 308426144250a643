//! How a switch or controller is told what a profile grants: NAS profiles, which
//! are data, and the spelling of a profile in their words.
//!
//! | file | what it does |
//! |---|---|
//! | [`acl`] | access rules in neutral words, and their dialects |
//! | [`nas_profile`] | the files of `nas-profiles/` |
//! | [`profile`] | what a rule grants, in neutral words |
//! | [`spelling`] | a profile in the words of a NAS profile |
//! | [`vlan`] | which VLAN, by pool and by site |

pub mod acl;
pub mod nas_profile;
pub mod profile;
pub mod spelling;
pub mod vlan;
