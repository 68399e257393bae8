//! What a client says about an object beside its content: content headers and user metadata. Sealed at rest.

use serde::{Deserialize, Serialize};

/// The headers that describe an object's content, and its user metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires`, as the client wrote it.
    pub expires: Option<String>,
    /// User metadata: names in lower case, without `x-amz-meta-`.
    pub metadata: Vec<(String, String)>,
}

impl Details {
    /// The most bytes of names and values that user metadata may have, as at S3.
    pub const MAX_METADATA_BYTES: usize = 2_048;

    /// The bytes of names and values of the user metadata.
    #[must_use]
    pub fn metadata_bytes(&self) -> usize {
        self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}
