//! Moving in: the files of other servers, and tables, become documents of
//! Cordon's form. Text in, text and a report out; nothing is read or written
//! here but what the caller hands over.
//!
//! | file | what it does |
//! |---|---|
//! | [`csv`] | tables of identities and of NASes |
//! | [`document`] | writes the TOML |
//! | [`freeradius`] | FreeRADIUS 3: `clients.conf` and `users` |
//! | [`report`] | what could not come along |
//! | [`steward`] | who answers for what has nobody |

pub mod csv;
pub mod document;
pub mod freeradius;
pub mod report;
pub mod steward;
