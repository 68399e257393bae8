//! People who sign in at issuers: a real provider in two manners, and issuers that do not answer as they should.

mod api;
mod bench;
mod command_line;
mod flows;
mod refusals;
