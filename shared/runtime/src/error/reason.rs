//! What went wrong, and what a caller has to do about it.

use tonic::Code;

/// What a caller has to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Correct the request.
    Invalid,
    /// Present a valid credential.
    Unauthenticated,
    /// Present a credential with the permission or role.
    MissingPermission,
    /// This record does not allow it to this caller.
    Forbidden,
    /// No such record in the caller's community.
    NotFound,
    /// The record's state does not allow it.
    Conflict,
    /// Send less.
    TooLarge,
    /// Send another media type.
    UnsupportedMedia,
    /// Call more slowly.
    RateLimited,
    /// Not built yet.
    Unimplemented,
    /// Try again.
    Unavailable,
    /// Our fault.
    Internal,
}

impl ErrorKind {
    /// The gRPC code; total.
    #[must_use]
    pub fn grpc_code(self) -> Code {
        match self {
            Self::Invalid | Self::TooLarge | Self::UnsupportedMedia => Code::InvalidArgument,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::MissingPermission | Self::Forbidden => Code::PermissionDenied,
            Self::NotFound => Code::NotFound,
            Self::Conflict => Code::AlreadyExists,
            Self::RateLimited => Code::ResourceExhausted,
            Self::Unimplemented => Code::Unimplemented,
            Self::Unavailable => Code::Unavailable,
            Self::Internal => Code::Internal,
        }
    }
}

/// Declares each reason once, with its machine name and its kind.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal => $kind:ident,)*) => {
        /// What went wrong, as machines read it (`google.rpc.ErrorInfo.reason`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The machine name, UPPER_SNAKE.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What a caller has to do about it.
            #[must_use]
            pub fn kind(self) -> ErrorKind {
                match self { $(Self::$variant => ErrorKind::$kind,)* }
            }

            pub(super) fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

reasons! {
    /// A field has a value that it cannot have.
    InvalidValue = "INVALID_VALUE" => Invalid,
    /// A required field is absent.
    MissingField = "MISSING_FIELD" => Invalid,
    /// A field is longer than allowed.
    ValueTooLong = "VALUE_TOO_LONG" => Invalid,
    /// The body is not what the media type says.
    MalformedBody = "MALFORMED_BODY" => Invalid,
    /// An id is not of its form.
    MalformedId = "MALFORMED_ID" => Invalid,
    /// Two different credentials in one request.
    CredentialsConflict = "CREDENTIALS_CONFLICT" => Invalid,
    /// The most different emojis that a message takes are on it.
    TooManyReactions = "TOO_MANY_REACTIONS" => Invalid,
    /// No credential, or not one that this call takes.
    CredentialMissing = "CREDENTIAL_MISSING" => Unauthenticated,
    /// Unknown, revoked, expired or badly signed: on purpose not said which.
    CredentialInvalid = "CREDENTIAL_INVALID" => Unauthenticated,
    /// Wrong account or password: on purpose not said which.
    LoginRefused = "LOGIN_REFUSED" => Unauthenticated,
    /// The key lacks the permission.
    PermissionMissing = "PERMISSION_MISSING" => MissingPermission,
    /// The user lacks the role.
    RoleMissing = "ROLE_MISSING" => MissingPermission,
    /// For services of Guildhall alone.
    InternalOnly = "INTERNAL_ONLY" => MissingPermission,
    /// The account may not log in.
    AccountUnavailable = "ACCOUNT_UNAVAILABLE" => Forbidden,
    /// The sender may not act for the caller, or not in this channel.
    SenderNotAllowed = "SENDER_NOT_ALLOWED" => Forbidden,
    /// The key is restricted to other channels.
    ChannelNotAllowed = "CHANNEL_NOT_ALLOWED" => Forbidden,
    /// The channel is frozen.
    ChannelFrozen = "CHANNEL_FROZEN" => Forbidden,
    /// The topic is closed.
    TopicClosed = "TOPIC_CLOSED" => Forbidden,
    /// No such community.
    CommunityNotFound = "COMMUNITY_NOT_FOUND" => NotFound,
    /// No such user.
    UserNotFound = "USER_NOT_FOUND" => NotFound,
    /// No such key.
    KeyNotFound = "KEY_NOT_FOUND" => NotFound,
    /// No such channel.
    ChannelNotFound = "CHANNEL_NOT_FOUND" => NotFound,
    /// No such topic.
    TopicNotFound = "TOPIC_NOT_FOUND" => NotFound,
    /// No such message.
    MessageNotFound = "MESSAGE_NOT_FOUND" => NotFound,
    /// No such webhook, or none that is answered.
    WebhookNotFound = "WEBHOOK_NOT_FOUND" => NotFound,
    /// No such workflow.
    WorkflowNotFound = "WORKFLOW_NOT_FOUND" => NotFound,
    /// No such delivery of a webhook.
    DeliveryNotFound = "DELIVERY_NOT_FOUND" => NotFound,
    /// No such route.
    RouteNotFound = "ROUTE_NOT_FOUND" => NotFound,
    /// Something of that name or id is there already.
    AlreadyExists = "ALREADY_EXISTS" => Conflict,
    /// The record is of a kind that has no such thing.
    WrongState = "WRONG_STATE" => Conflict,
    /// The Idempotency-Key was used with another request.
    IdempotencyMismatch = "IDEMPOTENCY_MISMATCH" => Conflict,
    /// The first request with this Idempotency-Key is still running.
    IdempotencyInFlight = "IDEMPOTENCY_IN_FLIGHT" => Conflict,
    /// The body is over the limit.
    BodyTooLarge = "BODY_TOO_LARGE" => TooLarge,
    /// The media type is not one that the route takes.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE" => UnsupportedMedia,
    /// Too many requests with this credential.
    RateLimited = "RATE_LIMITED" => RateLimited,
    /// Too many login attempts.
    LoginAttempts = "LOGIN_ATTEMPTS" => RateLimited,
    /// Not built yet.
    NotImplemented = "NOT_IMPLEMENTED" => Unimplemented,
    /// A bounded queue is full.
    Overloaded = "OVERLOADED" => Unavailable,
    /// A service or database does not answer.
    Unreachable = "UNREACHABLE" => Unavailable,
    /// It took longer than the caller gave it.
    DeadlineExceeded = "DEADLINE_EXCEEDED" => Unavailable,
    /// Nobody can say whether the write was stored; repeat with the same Idempotency-Key.
    OutcomeUnknown = "OUTCOME_UNKNOWN" => Unavailable,
    /// Our fault.
    Internal = "INTERNAL" => Internal,
}
