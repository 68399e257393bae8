//! What the `nuee` program does: commands, settings, and how the layers are wired together.
//!
//! [`Server`] is the whole of a running `nuee`: the data directory and its lock, the keys, the store, the listeners and
//! the socket for administration. [`run`] is the command line around it. Whatever is administered is one [`Request`],
//! carried out by one function, in the server when one runs and in the command's own process otherwise.
//!
//! It promises that a first start which is cut anywhere is finished by the next one, that two processes never have a
//! data directory open at once, and that what is stored and the keys that open it never lie in one directory. No policy
//! is decided here.

mod administration;
mod client;
mod commands;
mod custody;
mod data_directory;
mod demonstration;
mod first_start;
mod http_client;
mod issuer;
mod issuers;
mod logging;
mod platform;
mod ready_file;
mod retention;
mod sequencing;
mod server;
mod sessions;
mod settings;
mod sign_in;
mod socket;
mod surface;
mod text;
mod tls;
mod webhooks;
mod welcome;
mod witness;
mod witnesses;

pub use administration::{
    Administration, Exposure, ExposureRequest, ExposureTerms, Finding, JournalLeaf, JournalQuery,
    JournalWitness, LifecycleCount, LifecycleRun, OperatorRequest, Organisation, Progress, Project, Reply,
    Request, ServiceAccount, Status, Verified,
};
pub use commands::run;
pub use first_start::FirstStart;
pub use platform::{Platform, Tuning};
pub use server::{Addresses, Server, ServerOptions};
pub use settings::{
    IssuerSettings, ListenerService, ListenerSettings, Settings, SignInIssuerSettings, SignInKind, TlsMode,
    TokenEndpointAuth, WebhookSettings,
};
pub use sign_in::{SignInBegun, SignInChoice, SignInDone, SignInFailed, SignInStart, SignIns};
pub use witness::{Witness, WitnessOptions};
