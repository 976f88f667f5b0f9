//! Takes a payload whose pattern may belong to another type. rustc has an error at the pattern then, which is enough.

use std::marker::PhantomData;

use super::arguments::RecordCx;
use super::fail_to_compile;
use crate::concurrency::ConcurrentRecord;
use crate::error::BoxError;
use crate::payload::{FromRecord, UndecodablePayload};
use crate::record::Record;

/// The input of a handler that gets one record.
pub trait OfOneRecord<'c> {
    /// The record.
    fn one(&self) -> &'c Record;
}

impl<'c, C> OfOneRecord<'c> for RecordCx<'c, C> {
    fn one(&self) -> &'c Record {
        self.record()
    }
}

impl<'c> OfOneRecord<'c> for ConcurrentRecord<'c> {
    fn one(&self) -> &'c Record {
        self.record()
    }
}

/// A payload of this type, before it is read.
pub struct Payload<'c, T>(&'c Record, PhantomData<T>);

/// The payload that is the argument of a closure, which is never called.
pub fn payload<'c, T, R>(input: &impl OfOneRecord<'c>, _: impl FnOnce(T) -> R) -> Payload<'c, T> {
    Payload(input.one(), PhantomData)
}

/// Any value, for a call that is never made.
pub fn any<T>() -> T {
    unreachable!("it is called in closures only, which are never called")
}

impl<'c, T: FromRecord<'c>> Payload<'c, T> {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn __taken(self) -> Result<T, BoxError> {
        UndecodablePayload::read(self.0).map_err(Into::into)
    }
}

/// A type that is not a payload.
pub trait NotThePayload<T>: Sized {
    /// Fails to compile into a program, even if the pattern is right because it belongs to another type that is called `Json`.
    ///
    /// # Errors
    ///
    /// None.
    fn __taken(self) -> Result<T, BoxError> {
        fail_to_compile!(
            Self,
            "an argument with the pattern `Json(..)` is not a payload: its type must be `kcl::Json<T>`, or implement `kcl::FromRecord`"
        )
    }
}

impl<T> NotThePayload<T> for Payload<'_, T> {}
