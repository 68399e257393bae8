//! What a user signs in with, and how that is changed.

use axum::Json;
use http::StatusCode;
use nuee_base::{Assurance, Secret};
use nuee_tenancy::Shown;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    caller::{SignedIn, Visitor},
    failure::{Answer, ProblemDocument},
    router::Body,
    sign_in::TokenView,
    user::UserView,
};

/// A change of password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    /// The present one.
    present: String,
    /// The one from now on: at least 12 characters.
    #[schema(min_length = 12)]
    next: String,
}

/// A password for whoever was given a token to choose one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordReset {
    /// The token.
    token: String,
    /// The password: at least 12 characters.
    #[schema(min_length = 12)]
    password: String,
}

/// A device that shows codes, before it has shown one.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceView {
    /// What the device is told, as people type it: base32.
    pub(crate) secret: String,
    /// The same for a camera: an `otpauth` URI.
    pub(crate) uri: String,
}

/// A code of the device.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceCode {
    /// Six digits.
    #[schema(example = "123456")]
    code: String,
}

/// A device that counts, with what is shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnrolledView {
    /// Codes on paper, each of which does once for a code of the device.
    pub(crate) recovery_codes: Vec<String>,
    /// The token of this sign-in from now on, which has shown two factors.
    pub(crate) sign_in: TokenView,
}

/// Change the password; other sign-ins end.
#[utoipa::path(
    put, path = "/account/password", operation_id = "changePassword", tag = "sign-in",
    request_body = PasswordChange,
    responses(
        (status = 204, description = "Changed"),
        (status = 401, description = "The present password is another", body = ProblemDocument),
        (status = 422, description = "The new one is not fit", body = ProblemDocument),
    )
)]
pub(crate) async fn change_password(
    signed_in: SignedIn,
    Body(change): Body<PasswordChange>,
) -> Answer<StatusCode> {
    let SignedIn { caller, known } = signed_in;
    let passwords = (Secret::new(change.present), Secret::new(change.next));
    caller.parts.tenancy.change_password(&caller.context, &known, passwords).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begin to add a device that shows codes. It counts once it has shown one.
#[utoipa::path(
    post, path = "/account/second-factor", operation_id = "beginSecondFactor", tag = "sign-in",
    responses(
        (status = 201, description = "What the device is told", body = DeviceView),
        (status = 409, description = "There is one already", body = ProblemDocument),
    )
)]
pub(crate) async fn begin_device(signed_in: SignedIn) -> Answer<(StatusCode, Json<DeviceView>)> {
    let SignedIn { caller, known } = signed_in;
    let device = caller.parts.tenancy.begin_enrolment(&caller.context, &known).await?;
    let uri = device.to_uri("Nuee", known.user.email.as_str()).expose().to_owned();
    let shown = DeviceView { secret: device.to_base32().expose().to_owned(), uri };
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Make the new device count, by a code that it shows.
#[utoipa::path(
    post, path = "/account/second-factor/confirmation", operation_id = "confirmSecondFactor", tag = "sign-in",
    request_body = DeviceCode,
    responses(
        (status = 201, description = "It counts", body = EnrolledView),
        (status = 422, description = "The code is another", body = ProblemDocument),
    )
)]
pub(crate) async fn confirm_device(
    signed_in: SignedIn,
    Body(shown): Body<DeviceCode>,
) -> Answer<(StatusCode, Json<EnrolledView>)> {
    let SignedIn { caller, known } = signed_in;
    let tenancy = &caller.parts.tenancy;
    let enrolled = tenancy.finish_enrolment(&caller.context, &known, Secret::new(shown.code)).await?;
    let raised = Shown { assurance: Assurance::MultiFactor, by: "password and code".to_owned() };
    let given = tenancy.renew_sign_in(&caller.context, &known, Some(raised)).await?;
    let codes = enrolled.recovery_codes.iter().map(|code| code.expose().to_owned()).collect();
    Ok((StatusCode::CREATED, Json(EnrolledView { recovery_codes: codes, sign_in: given.into() })))
}

/// Choose a password with a token that an owner of the organisation passed on.
#[utoipa::path(
    post, path = "/password-resets", operation_id = "resetPassword", tag = "sign-in", security(()),
    request_body = PasswordReset,
    responses(
        (status = 201, description = "Chosen", body = UserView),
        (status = 401, description = "The token does not do", body = ProblemDocument),
    )
)]
pub(crate) async fn reset_password(
    visitor: Visitor,
    Body(reset): Body<PasswordReset>,
) -> Answer<(StatusCode, Json<UserView>)> {
    let (token, password) = (Secret::new(reset.token), Secret::new(reset.password));
    let shown = (visitor.parts.realm(), &token);
    let user = visitor.parts.tenancy.finish_reset(&visitor.context, shown, password).await?;
    Ok((StatusCode::CREATED, Json(UserView::from(&user))))
}
