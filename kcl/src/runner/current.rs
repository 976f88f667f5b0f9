//! The record whose handler is being polled, while records are handled at once. Only the test kit asks.

#[cfg(feature = "testing")]
pub(crate) use tracked::record;
#[cfg(all(feature = "testing", any(feature = "tokio", test)))]
pub(crate) use tracked::within;

/// Does nothing more than `future`: nobody asks.
#[cfg(not(feature = "testing"))]
pub(crate) fn within<F: Future>(_: &crate::record::Record, future: F) -> F {
    future
}

#[cfg(feature = "testing")]
mod tracked {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;

    use crate::record::Record;
    use crate::sequence::SequenceNumber;

    thread_local! {
        static RECORD: Cell<Option<(SequenceNumber, u64)>> = const { Cell::new(None) };
    }

    /// Names the previous record again when it is dropped, also by a panic.
    struct Previous(Option<(SequenceNumber, u64)>);

    impl Drop for Previous {
        fn drop(&mut self) {
            RECORD.set(self.0);
        }
    }

    /// Polls a future with this record as the current one.
    #[cfg_attr(
        not(any(feature = "tokio", test)),
        allow(dead_code, reason = "records are handled at once with a runtime")
    )]
    pub(crate) async fn within<F: Future>(record: &Record, future: F) -> F::Output {
        let number = (record.sequence_number(), record.sub_sequence_number());
        let mut future = pin!(future);
        poll_fn(|cx| {
            let _previous = Previous(RECORD.replace(Some(number)));
            future.as_mut().poll(cx)
        })
        .await
    }

    /// The numbers of the current record; `None` outside of such a handler.
    pub(crate) fn record() -> Option<(SequenceNumber, u64)> {
        RECORD.get()
    }
}
