//! The checkpointers of `async` handlers as arguments.

use super::arguments::{
    OnRecord, OnRecords, OnShardEnd, OnShutdownRequested, OnTick, RecordCx, RecordsCx, ShutdownCx, TickCx, takes,
};
use super::takes::parts;
use crate::checkpoint::asynchronous::AsyncCheckpointer;
use crate::error::BoxError;

/// An argument of an `async` handler that is written as `&mut`. It must be a checkpointer, so a mistake has a shorter error than that of
/// an argument that may be anything.
#[diagnostic::on_unimplemented(
    message = "an `async` handler cannot take `{Self}`",
    label = "an argument with `&mut` must be `&mut kcl::AsyncCheckpointer`",
    note = "the methods of an `AsyncCheckpointer` are `async`: write `checkpointer.checkpoint().await`",
    note = "a handler that is not `async` takes `&mut kcl::Checkpointer`; both kinds can be in one processor"
)]
pub trait Awaited<'c, Cx>: Sized {
    /// Takes it.
    ///
    /// # Errors
    ///
    /// If it was taken already.
    fn take(cx: &Cx) -> Result<Self, BoxError>;
}

macro_rules! awaited {
    ($($Cx:ident)+) => {$(
        #[diagnostic::do_not_recommend]
        impl<'c> Awaited<'c, $Cx<'c, AsyncCheckpointer>> for &'c mut AsyncCheckpointer {
            #[inline]
            fn take(cx: &$Cx<'c, AsyncCheckpointer>) -> Result<Self, BoxError> {
                cx.checkpointer.take()
            }
        }
    )+};
}

awaited! { RecordsCx RecordCx ShutdownCx TickCx }

// The heads of these impls are written out, so that errors can show them.

#[diagnostic::do_not_recommend]
impl<'c> OnRecords<'c, AsyncCheckpointer> for &'c mut AsyncCheckpointer {
    takes!(parts::Checkpointer, |cx: RecordsCx<'c, AsyncCheckpointer>| cx.checkpointer.take());
}

#[diagnostic::do_not_recommend]
impl<'c> OnRecord<'c, AsyncCheckpointer> for &'c mut AsyncCheckpointer {
    takes!(parts::Checkpointer, |cx: RecordCx<'c, AsyncCheckpointer>| cx.checkpointer.take());
}

#[diagnostic::do_not_recommend]
impl<'c> OnShardEnd<'c, AsyncCheckpointer> for &'c mut AsyncCheckpointer {
    takes!(parts::Checkpointer, |cx: ShutdownCx<'c, AsyncCheckpointer>| cx.checkpointer.take());
}

#[diagnostic::do_not_recommend]
impl<'c> OnShutdownRequested<'c, AsyncCheckpointer> for &'c mut AsyncCheckpointer {
    takes!(parts::Checkpointer, |cx: ShutdownCx<'c, AsyncCheckpointer>| cx.checkpointer.take());
}

#[diagnostic::do_not_recommend]
impl<'c> OnTick<'c, AsyncCheckpointer> for &'c mut AsyncCheckpointer {
    takes!(parts::Checkpointer, |cx: TickCx<'c, AsyncCheckpointer>| cx.checkpointer.take());
}
