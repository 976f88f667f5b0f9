//! Collects the errors of every stage, so that all of them are reported at once.

use std::cell::{Cell, RefCell};
use std::thread;

use proc_macro2::TokenStream;
use quote::ToTokens;

use crate::messages::{Error, Message};

/// A collection of errors. Dropping it unchecked is a bug of this crate, and panics.
pub(crate) struct Context {
    /// `None` once they are checked.
    errors: RefCell<Option<Vec<Error>>>,
    /// Whether there is an error after which no code can be generated. rustc may have reported it.
    is_blocked: Cell<bool>,
}

impl Context {
    pub(crate) fn new() -> Self {
        Self { errors: RefCell::new(Some(Vec::new())), is_blocked: Cell::new(false) }
    }

    /// Adds an error that underlines `tokens`, from the first to the last.
    pub(crate) fn error(&self, tokens: impl ToTokens, message: Message) {
        self.push(message.at(tokens));
    }

    /// Adds an error, such as one of `syn`.
    pub(crate) fn push(&self, error: impl Into<Error>) {
        self.is_blocked.set(true);
        self.add(error.into());
    }

    /// Adds an error in code that was repaired, so that code can be generated from it, and rustc finds other mistakes.
    pub(crate) fn repaired(&self, tokens: impl ToTokens, message: Message) {
        self.add(message.at(tokens));
    }

    fn add(&self, error: Error) {
        if let Some(errors) = self.errors.borrow_mut().as_mut() {
            errors.push(error);
        }
    }

    /// Notes an error that rustc has reported already.
    pub(crate) fn reported(&self) {
        self.is_blocked.set(true);
    }

    /// Whether no code can be generated.
    pub(crate) fn is_blocked(&self) -> bool {
        self.is_blocked.get()
    }

    /// Whether there are errors so far.
    pub(crate) fn has_errors(&self) -> bool {
        self.is_blocked.get() || self.errors.borrow().as_ref().is_some_and(|errors| !errors.is_empty())
    }

    /// The texts of the errors.
    #[cfg(test)]
    pub(crate) fn into_texts(self) -> Vec<String> {
        self.errors.take().unwrap_or_default().iter().map(Error::to_string).collect()
    }

    /// Returns the errors as code that rustc reports as them.
    pub(crate) fn check(self) -> Result<(), TokenStream> {
        match self.errors.take() {
            Some(errors) if !errors.is_empty() || self.is_blocked.get() => {
                Err(errors.iter().map(Error::to_compile_error).collect())
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if self.errors.borrow().is_some() && !thread::panicking() {
            panic!("a context was dropped unchecked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages;
    use crate::model::Place;

    #[test]
    fn every_error_is_reported_in_order() {
        let cx = Context::new();
        assert!(!cx.has_errors());
        cx.error(quote::quote!(a), messages::option_unknown(Place::Processor, "first", &|_| None));
        cx.error(quote::quote!(b), messages::option_unknown(Place::Processor, "second", &|_| None));
        assert!(cx.has_errors());
        let errors = cx.check().unwrap_err().to_string();
        let (first, second) = (errors.find("`first`").unwrap(), errors.find("`second`").unwrap());
        assert!(first < second);
    }

    #[test]
    fn without_errors_there_is_nothing_to_report() {
        assert!(Context::new().check().is_ok());
    }

    #[test]
    #[should_panic(expected = "dropped unchecked")]
    fn an_unchecked_context_is_a_bug() {
        drop(Context::new());
    }
}
