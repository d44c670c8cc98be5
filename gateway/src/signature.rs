//! What a handler takes and answers, read off its own signature: the documentation cannot say
//! anything else.

use std::future::Future;

use axum::{Json, extract::State, response::Response};
use http::HeaderMap;
use serde_json::Value;
use utoipa::{
    IntoParams,
    openapi::{
        Required,
        path::{Parameter, ParameterIn},
    },
};

use crate::{
    call::Call,
    envelope::application::{Application, ApplicationPage},
    extract::{Input, Query, Raw, Segments, narrows},
    failure::Failure,
};

/// An asynchronous function that is made of documented parts; `Arguments` is the tuple of what it takes.
pub trait Signature<Arguments> {
    /// What it reads the body of a request into; `()` when it reads none.
    type Body;
    /// The body of its success.
    type Answer;

    /// The parameters of its query.
    fn query() -> Vec<Parameter>;
}

/// An argument of a handler.
pub trait Argument {
    /// What the body of a request is read into; `()` for everything but the body.
    type Body;

    /// The parameters that it reads from the query.
    fn query() -> Vec<Parameter> {
        Vec::new()
    }
}

/// What a handler returns.
pub trait Returned {
    /// The body of its success.
    type Answer;
}

macro_rules! not_of_the_body {
    ($([$($generic:ident)?] $argument:ty,)*) => {
        $(impl$(<$generic>)? Argument for $argument { type Body = (); })*
    };
}

not_of_the_body! {
    [S] State<S>,
    [T] Segments<T>,
    [] Call,
    [] HeaderMap,
}

impl<Q: IntoParams> Argument for Query<Q> {
    type Body = ();

    fn query() -> Vec<Parameter> {
        let parameters = Q::into_params(|| Some(ParameterIn::Query));
        parameters.into_iter().map(possibly_empty).collect()
    }
}

/// An empty value of the query counts as absent, where it does not narrow a list, and what is optional may
/// be absent.
fn possibly_empty(mut parameter: Parameter) -> Parameter {
    if parameter.required != Required::True && !narrows(&parameter.name) {
        let extensions = parameter.extensions.get_or_insert_default();
        // The document's standard has this, the builder of the parameter has not.
        extensions.insert("allowEmptyValue".to_owned(), Value::Bool(true));
    }
    parameter
}

impl<T> Argument for Input<T> {
    type Body = T;
}

impl<T> Argument for Raw<T> {
    type Body = T;
}

impl<T> Returned for Json<T> {
    type Answer = T;
}

impl<T> Returned for Application<T> {
    type Answer = Self;
}

impl<T> Returned for ApplicationPage<T> {
    type Answer = Self;
}

impl<P, R: Returned> Returned for (P, R) {
    type Answer = R::Answer;
}

impl<P, Q, R: Returned> Returned for (P, Q, R) {
    type Answer = R::Answer;
}

impl<R: Returned> Returned for Result<R, Failure> {
    type Answer = R::Answer;
}

/// A whole response: its body is whatever JSON it holds.
impl Returned for Response {
    type Answer = Value;
}

impl<H, F> Signature<()> for H
where
    H: Fn() -> F,
    F: Future,
    F::Output: Returned,
{
    type Body = ();
    type Answer = <F::Output as Returned>::Answer;

    fn query() -> Vec<Parameter> {
        Vec::new()
    }
}

/// The body is read last, by the last argument.
macro_rules! signature {
    ($($argument:ident)* ; $last:ident) => {
        impl<H, F, $($argument,)* $last> Signature<($($argument,)* $last,)> for H
        where
            H: Fn($($argument,)* $last) -> F,
            F: Future,
            F::Output: Returned,
            $($argument: Argument<Body = ()>,)*
            $last: Argument,
        {
            type Body = $last::Body;
            type Answer = <F::Output as Returned>::Answer;

            fn query() -> Vec<Parameter> {
                [$($argument::query(),)* $last::query()].concat()
            }
        }
    };
}

signature!(; A);
signature!(A; B);
signature!(A B; C);
signature!(A B C; D);
signature!(A B C D; E);
signature!(A B C D E; G);
